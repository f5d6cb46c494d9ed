#include "tools/cli/json.h"

#include <cstdio>

namespace walden::cli {

void print_json(const Json& json) {
    std::puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace walden::cli
