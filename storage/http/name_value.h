// A header or a query parameter.
#pragma once

#include <string>
#include <vector>

namespace walden::storage {

struct NameValue {
    std::string name;
    std::string value;

    friend bool operator==(const NameValue&, const NameValue&) = default;
};

using NameValues = std::vector<NameValue>;

}  // namespace walden::storage
