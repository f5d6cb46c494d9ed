// Text inside key objects that ends up on terminals: labels and cluster names.
#pragma once

#include <algorithm>
#include <string_view>

namespace walden::crypto {

/// True for at most 255 bytes without control characters: an escape sequence in a name that a
/// hostile store made up must not reach a terminal. Bytes above 0x7F (UTF-8) pass.
[[nodiscard]] inline bool is_label(std::string_view text) {
    return text.size() <= 255 && std::none_of(text.begin(), text.end(), [](char c) {
               const auto byte = static_cast<unsigned char>(c);
               return byte < 0x20 || byte == 0x7F;
           });
}

}  // namespace walden::crypto
