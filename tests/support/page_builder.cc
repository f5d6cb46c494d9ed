#include "support/page_builder.h"

#include "base/page_checksum.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>

namespace walden::test {

namespace {

constexpr std::size_t header_size = 24;

std::size_t padded(std::size_t size) {
    return (size + 7) / 8 * 8;
}

void store_tid(std::byte* to, std::uint32_t block, std::uint16_t offset) {
    store_le<std::uint16_t>(to, static_cast<std::uint16_t>(block >> 16));
    store_le<std::uint16_t>(to + 2, static_cast<std::uint16_t>(block & 0xFFFF));
    store_le<std::uint16_t>(to + 4, offset);
}

void append_number(Bytes& to, std::uint64_t value, std::size_t size) {
    std::array<std::byte, 8> bytes{};
    store_le(bytes.data(), value);
    append(to, ByteView(bytes).first(size));
}

std::string make_words(std::mt19937& random, std::size_t count) {
    static constexpr std::array words = {"amber", "birch", "cedar", "delta",  "ember", "fjord",
                                         "grove", "heath", "inlet", "jetty",  "kelp",  "lagoon",
                                         "marsh", "north", "ocean", "prairie"};
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += words[random() % words.size()];
        text += ' ';
    }
    return text;
}

/// A short varlena: one byte of length, then the text.
void append_text(Bytes& to, const std::string& text) {
    append_number(to, (text.size() + 1) << 1 | 1, 1);
    append(to, as_bytes(text));
}

void add_orders(PageBuilder& page, std::uint32_t block, std::mt19937& random) {
    for (std::uint16_t i = 1;; ++i) {
        SampleRow row{.xmin = 1000 + block * 60 + i, .block = block, .offset = i};
        if (random() % 8 == 0) {
            row.xmax = row.xmin + 77;
            row.infomask2 = 0x4003;
            row.offset = static_cast<std::uint16_t>(i + 1);
        }
        append_number(row.body, block * 60 + i, 4);
        for (int k = 0; k < 4; ++k) append_number(row.body, random(), 4);
        append_text(row.body, make_words(random, 3 + random() % 8));
        if (random() % 5 == 0) row.null_bitmap = to_bytes(as_bytes("\x05"));
        const Bytes item = make_row(row);
        if (page.lower() + 4 + padded(item.size()) > page.upper()) return;
        page.add(item);
        if (i % 13 == 0) page.add_pointer(2, i);
        if (i % 13 == 0) ++i;
    }
}

void add_fixed_rows(PageBuilder& page, std::uint32_t block, std::mt19937& random) {
    for (std::uint16_t i = 1; i <= 60; ++i) {
        SampleRow row{.xmin = 700, .block = block, .offset = i, .infomask2 = 4};
        if (random() % 16 == 0) row.xmin = 9000 + static_cast<std::uint32_t>(random() % 500);
        append_number(row.body, block * 60 + i, 4);
        append_number(row.body, (block * 60 + i) / 100'000 + 1, 4);
        append_number(row.body, random() % 16 == 0 ? random() % 5000 : 0, 4);
        row.body.resize(97, std::byte{' '});
        page.add(make_row(row));
    }
    if (random() % 3 == 0) page.swap(7, 33).swap(8, 34);
}

void add_numbers(PageBuilder& page, std::uint32_t block) {
    for (std::uint32_t i = 0; i < 367; ++i) {
        const std::uint32_t value = block * 366 + i;
        Bytes key;
        append_number(key, value, 8);
        const bool is_high = i == 0;
        page.add(make_index_item(is_high ? 0 : value / 61,
                                 static_cast<std::uint16_t>(is_high ? 1 : value % 61 + 1),
                                 is_high ? 0x2000 : 0, key));
    }
    // CREATE INDEX moves the line pointers down by one and leaves the last one where it was.
    const std::span<std::byte> stale = page.bytes().subspan(page.lower(), 4);
    std::memcpy(stale.data(), page.bytes().data() + page.lower() - 4, 4);
}

void add_words(PageBuilder& page, std::mt19937& random) {
    std::vector<std::string> keys;
    for (int i = 0; i < 120; ++i) keys.push_back(make_words(random, 1 + random() % 5));
    std::sort(keys.begin(), keys.end());
    for (const std::string& text : keys) {
        Bytes key;
        append_text(key, text);
        page.add(make_index_item(static_cast<std::uint32_t>(random() % 5000),
                                 static_cast<std::uint16_t>(1 + random() % 60), 0x4000, key),
                 random() % 20 == 0 ? 3 : 1);
    }
    for (int i = 0; i < 200; ++i)
        page.swap(static_cast<std::uint16_t>(1 + random() % 120),
                  static_cast<std::uint16_t>(1 + random() % 120));
}

void add_postings(PageBuilder& page, std::uint32_t block, std::mt19937& random) {
    for (std::uint32_t i = 0; i < 100; ++i) {
        Bytes key;
        append_number(key, block * 100 + i, 4);
        key.resize(8, std::byte{0});
        const auto heap_block = static_cast<std::uint32_t>(random() % 9000);
        if (random() % 3 != 0)
            page.add(
                make_posting_item(heap_block, static_cast<std::uint16_t>(2 + random() % 8), key));
        else
            page.add(make_index_item(heap_block, 5, 0, key));
    }
}

}  // namespace

Bytes make_row(const SampleRow& row) {
    const std::size_t size = padded(23 + row.null_bitmap.size());
    Bytes item(size, std::byte{0});
    store_le<std::uint32_t>(item.data(), row.xmin);
    store_le<std::uint32_t>(item.data() + 4, row.xmax);
    store_le<std::uint32_t>(item.data() + 8, row.cid);
    store_tid(item.data() + 12, row.block, row.offset);
    store_le<std::uint16_t>(item.data() + 18, row.infomask2);
    store_le<std::uint16_t>(item.data() + 20, row.infomask);
    item[22] = static_cast<std::byte>(size);
    if (!row.null_bitmap.empty())
        std::memcpy(item.data() + 23, row.null_bitmap.data(), row.null_bitmap.size());
    append(item, row.body);
    return item;
}

Bytes make_index_item(std::uint32_t block, std::uint16_t offset, std::uint16_t flags,
                      ByteView key) {
    Bytes item(padded(8 + key.size()), std::byte{0});
    store_tid(item.data(), block, offset);
    store_le<std::uint16_t>(item.data() + 6, static_cast<std::uint16_t>(item.size() | flags));
    if (!key.empty()) std::memcpy(item.data() + 8, key.data(), key.size());
    return item;
}

Bytes make_posting_item(std::uint32_t block, std::uint16_t count, ByteView key) {
    const std::size_t begin = padded(8 + key.size());
    Bytes tail(begin - 8 + std::size_t{count} * 6, std::byte{0});
    std::memcpy(tail.data(), key.data(), key.size());
    for (std::uint16_t i = 0; i < count; ++i)
        store_tid(tail.data() + begin - 8 + std::size_t{i} * 6, block + i * 3,
                  static_cast<std::uint16_t>(i + 1));
    return make_index_item(static_cast<std::uint32_t>(begin),
                           static_cast<std::uint16_t>(0x2000 | count), 0x2000, tail);
}

PageBuilder::PageBuilder(std::size_t special_size) : page_(page_size, std::byte{0}) {
    const auto special = static_cast<std::uint16_t>(page_size - special_size);
    set(12, header_size);
    set(14, special);
    set(16, special);
    set(18, 0x2004);
}

void PageBuilder::set(std::size_t at, std::uint16_t value) {
    store_le(page_.data() + at, value);
}

PageBuilder& PageBuilder::lsn(std::uint64_t value) {
    store_le<std::uint32_t>(page_.data(), static_cast<std::uint32_t>(value >> 32));
    store_le<std::uint32_t>(page_.data() + 4, static_cast<std::uint32_t>(value & 0xFFFFFFFF));
    return *this;
}

std::uint16_t PageBuilder::lower() const {
    return load_le<std::uint16_t>(page_.data() + 12);
}

std::uint16_t PageBuilder::upper() const {
    return load_le<std::uint16_t>(page_.data() + 14);
}

std::uint16_t PageBuilder::add(ByteView item, std::uint32_t state) {
    const auto at = static_cast<std::uint16_t>(upper() - padded(item.size()));
    std::memcpy(page_.data() + at, item.data(), item.size());
    set(14, at);
    const std::uint16_t number = add_pointer(state, at);
    std::byte* const pointer = page_.data() + lower() - 4;
    store_le<std::uint32_t>(
        pointer, load_le<std::uint32_t>(pointer) | static_cast<std::uint32_t>(item.size()) << 17);
    return number;
}

std::uint16_t PageBuilder::add_pointer(std::uint32_t state, std::uint32_t offset) {
    store_le<std::uint32_t>(page_.data() + lower(), offset | state << 15);
    set(12, static_cast<std::uint16_t>(lower() + 4));
    return static_cast<std::uint16_t>((lower() - header_size) / 4);
}

PageBuilder& PageBuilder::swap(std::uint16_t a, std::uint16_t b) {
    std::byte* const first = page_.data() + header_size + (a - 1) * 4;
    std::byte* const second = page_.data() + header_size + (b - 1) * 4;
    const auto pointer = load_le<std::uint32_t>(first);
    store_le(first, load_le<std::uint32_t>(second));
    store_le(second, pointer);
    return *this;
}

MutableByteView PageBuilder::special() {
    return MutableByteView(page_).subspan(load_le<std::uint16_t>(page_.data() + 16));
}

Bytes PageBuilder::finish(std::uint32_t block) {
    set(page_checksum_offset, page_checksum(page_, block));
    return page_;
}

Bytes make_sample_pages(SamplePages kind, std::size_t count, std::uint32_t seed,
                        std::uint32_t first_block) {
    std::mt19937 random(seed);
    Bytes pages;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t block = first_block + i;
        const bool is_heap = kind == SamplePages::orders || kind == SamplePages::fixed_rows;
        PageBuilder page(is_heap ? 0 : 16);
        page.lsn(0x0000'0003'1000'0000 + block * 8200ULL);
        switch (kind) {
            case SamplePages::orders: add_orders(page, block, random); break;
            case SamplePages::fixed_rows: add_fixed_rows(page, block, random); break;
            case SamplePages::numbers: add_numbers(page, block); break;
            case SamplePages::words: add_words(page, random); break;
            case SamplePages::postings: add_postings(page, block, random); break;
        }
        if (!is_heap) {
            store_le<std::uint32_t>(page.special().data(), block - 1);
            store_le<std::uint32_t>(page.special().data() + 4, block + 1);
            store_le<std::uint16_t>(page.special().data() + 12, 1);
        }
        append(pages, page.finish(block));
    }
    return pages;
}

std::vector<std::uint32_t> blocks_from(std::uint32_t first_block, std::size_t count) {
    std::vector<std::uint32_t> blocks;
    for (std::uint32_t i = 0; i < count; ++i) blocks.push_back(first_block + i);
    return blocks;
}

}  // namespace walden::test
