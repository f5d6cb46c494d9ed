#include "crypto/content_id.h"

#include "base/parallel.h"
#include "crypto/digest.h"

#include <algorithm>
#include <atomic>
#include <cassert>

namespace walden::crypto {

namespace {

/// What a thread takes at once: starting one costs as much as hashing 64 KiB.
constexpr std::size_t part_size = 4 * content_id_leaf_size;

class TreeHash {
public:
    explicit TreeHash(const ContentIdKey& key) {
        if (key) mac_.emplace(key->view());
    }

    /// Safe from several threads.
    void hash(ByteView head, ByteView body, DigestSpan out) const {
        if (mac_)
            mac_->compute({head, body}, out);
        else
            sha256({head, body}, out);
    }

private:
    std::optional<HmacSha256> mac_;
};

void hash_leaf(const TreeHash& tree, std::size_t index, ByteView plain, DigestSpan out) {
    std::array<std::byte, 1 + 8 + 4> head{};
    head[0] = std::byte{0x00};
    store_le(&head[1], std::uint64_t{index});
    store_le(&head[9], static_cast<std::uint32_t>(plain.size()));
    tree.hash(head, plain, out);
}

void hash_root(const TreeHash& tree, std::size_t total, ByteView leaves, DigestSpan out) {
    std::array<std::byte, 1 + 8 + 4 + 4> head{};
    head[0] = std::byte{0x01};
    store_le(&head[1], std::uint64_t{total});
    store_le(&head[9], static_cast<std::uint32_t>(content_id_leaf_size));
    store_le(&head[13], static_cast<std::uint32_t>(leaves.size() / sizeof(Digest)));
    tree.hash(head, leaves, out);
}

}  // namespace

std::string to_string(const ContentId& id) {
    return to_hex(id.bytes);
}

std::optional<ContentId> parse_content_id(std::string_view hex) {
    // Names of objects are compared as text, so an id has one spelling: lower case.
    const bool has_upper =
        std::any_of(hex.begin(), hex.end(), [](char c) { return c < 'a' && c > '9'; });
    ContentId id;
    if (has_upper || !parse_hex(hex, id.bytes)) return std::nullopt;
    return id;
}

struct ContentIdBuilder::State {
    TreeHash tree;
    std::size_t plain_size;
    Bytes leaves;
    std::atomic<std::size_t> added_size{0};

    State(const ContentIdKey& key, std::size_t size)
        : tree(key),
          plain_size(size),
          leaves((size / content_id_leaf_size + (size % content_id_leaf_size != 0 ? 1 : 0)) *
                 sizeof(Digest)) {}
};

ContentIdBuilder::ContentIdBuilder(const ContentIdKey& key, std::size_t plain_size)
    : state_(std::make_unique<State>(key, plain_size)) {}

ContentIdBuilder::ContentIdBuilder(ContentIdBuilder&&) noexcept = default;

ContentIdBuilder::~ContentIdBuilder() = default;

void ContentIdBuilder::add(std::size_t offset, ByteView part) {
    assert(offset % content_id_leaf_size == 0 && part.size() <= state_->plain_size - offset);
    assert(part.size() % content_id_leaf_size == 0 || offset + part.size() == state_->plain_size);
    state_->added_size += part.size();
    for (std::size_t i = offset / content_id_leaf_size; !part.empty(); ++i) {
        const ByteView leaf = part.first(std::min(content_id_leaf_size, part.size()));
        hash_leaf(state_->tree, i, leaf,
                  MutableByteView(state_->leaves).subspan(i * sizeof(Digest)).first<32>());
        part = part.subspan(leaf.size());
    }
}

ContentId ContentIdBuilder::finish() const {
    assert(state_->added_size == state_->plain_size);
    ContentId id;
    hash_root(state_->tree, state_->plain_size, state_->leaves, id.bytes);
    return id;
}

ContentId compute_content_id(const ContentIdKey& key, ByteView plain, std::size_t worker_count) {
    ContentIdBuilder builder(key, plain.size());
    const std::size_t part_count = (plain.size() + part_size - 1) / part_size;
    for_each_index_in_parallel(part_count, worker_count, [&](std::size_t i) {
        const std::size_t offset = i * part_size;
        builder.add(offset, plain.subspan(offset, std::min(part_size, plain.size() - offset)));
    });
    return builder.finish();
}

}  // namespace walden::crypto
