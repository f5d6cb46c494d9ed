// The one door to expat.
//
// Nothing in a document is trusted: depth, number of elements and size are bounded, a DOCTYPE (and
// so every entity of its own) is refused.
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::storage {

struct XmlElement {
    std::string name;  ///< without a namespace prefix
    std::string text;  ///< of this element alone; white space between children is dropped
    std::vector<XmlElement> children;

    /// The first child of that name; nullptr if there is none.
    [[nodiscard]] const XmlElement* child(std::string_view child_name) const;

    /// The text of that child; empty if there is none.
    [[nodiscard]] std::string_view text_of(std::string_view child_name) const;
};

inline constexpr std::size_t xml_depth_max = 16;
inline constexpr std::size_t xml_size_max = std::size_t{8} << 20;
inline constexpr std::size_t xml_element_count_max = 100'000;

/// The root element; nullopt if the document is not well formed or exceeds a limit.
[[nodiscard]] std::optional<XmlElement> parse_xml(ByteView document);

/// `text` with & < > " ' written as entities, for documents that are sent.
[[nodiscard]] std::string escape_xml(std::string_view text);

}  // namespace walden::storage
