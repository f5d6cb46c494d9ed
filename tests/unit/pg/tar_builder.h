// Makes ustar archives, as PostgreSQL writes them and worse.
#pragma once

#include "base/bytes.h"
#include "base/format.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace walden::test {

struct TarItem {
    std::string name;
    std::string prefix{};
    char type = '0';
    std::uint32_t mode = 0600;
    std::string target{};
    std::string data{};
};

class TarBuilder {
public:
    static constexpr std::size_t block_size = 512;

    void add(const TarItem& item) {
        append(bytes_, header(item));
        append(bytes_, as_bytes(item.data));
        append(bytes_,
               Bytes((block_size - item.data.size() % block_size) % block_size, std::byte{0}));
    }

    void end() { append(bytes_, Bytes(2 * block_size, std::byte{0})); }

    [[nodiscard]] const Bytes& bytes() const { return bytes_; }

    [[nodiscard]] static Bytes header(const TarItem& item) {
        Bytes header(block_size, std::byte{0});
        put(header, 0, item.name);
        put(header, 100, format("{:07o}", item.mode));
        put(header, 124, format("{:011o}", item.data.size()));
        put(header, 136, format("{:011o}", 1700000000));
        header[156] = static_cast<std::byte>(item.type);
        put(header, 157, item.target);
        put(header, 257, "ustar");
        put(header, 263, "00");
        put(header, 345, item.prefix);
        seal(header);
        return header;
    }

    static void set_binary_size(Bytes& header, std::uint64_t size) {
        std::fill_n(header.begin() + 124, 12, std::byte{0});
        header[124] = std::byte{0x80};
        store_be(&header[128], size);
        seal(header);
    }

private:
    static void put(Bytes& header, std::size_t offset, std::string_view text) {
        std::copy_n(as_bytes(text).begin(), text.size(),
                    header.begin() + static_cast<std::ptrdiff_t>(offset));
    }

    static void seal(Bytes& header) {
        put(header, 148, "        ");
        std::uint32_t sum = 0;
        for (const std::byte byte : header) sum += static_cast<std::uint32_t>(byte);
        put(header, 148, format("{:06o}", sum));
        header[154] = std::byte{0};
    }

    Bytes bytes_;
};

}  // namespace walden::test
