#include "crypto/content_id.h"

#include "base/parallel.h"
#include "crypto/digest.h"

#include <algorithm>

namespace walden::crypto {

namespace {

constexpr std::size_t leaves_per_worker_min = 4;

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

ContentId compute_content_id(const ContentIdKey& key, ByteView plain, std::size_t worker_count) {
    const TreeHash tree(key);
    const std::size_t leaf_count =
        plain.size() / content_id_leaf_size + (plain.size() % content_id_leaf_size != 0 ? 1 : 0);
    Bytes leaves(leaf_count * sizeof(Digest));
    for_each_index_in_parallel(
        leaf_count, std::min(worker_count, leaf_count / leaves_per_worker_min), [&](std::size_t i) {
            const std::size_t offset = i * content_id_leaf_size;
            const std::size_t size = std::min(content_id_leaf_size, plain.size() - offset);
            hash_leaf(tree, i, plain.subspan(offset, size),
                      MutableByteView(leaves).subspan(i * sizeof(Digest)).first<32>());
        });
    ContentId id;
    hash_root(tree, plain.size(), leaves, id.bytes);
    return id;
}

}  // namespace walden::crypto
