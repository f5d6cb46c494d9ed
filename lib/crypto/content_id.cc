#include "crypto/content_id.h"

#include "base/parallel.h"
#include "crypto/digest.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <mutex>
#include <vector>

namespace walden::crypto {

namespace {

/// What a thread takes at once: starting one costs as much as hashing 64 KiB.
constexpr std::size_t part_size = 4 * content_id_leaf_size;

/// Of the largest file that PostgreSQL archives, 1 GiB.
constexpr std::size_t remembered_max = (std::size_t{1} << 30) / content_id_leaf_size;

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

Digest hash_leaf(const TreeHash& tree, std::size_t index, ByteView plain) {
    std::array<std::byte, 1 + 8 + 4> head{};
    head[0] = std::byte{0x00};
    store_le(&head[1], std::uint64_t{index});
    store_le(&head[9], static_cast<std::uint32_t>(plain.size()));
    Digest leaf;
    tree.hash(head, plain, leaf);
    return leaf;
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

struct ContentIdHash::State {
    explicit State(const ContentIdKey& key) : tree(key) {}

    Digest leaf(std::size_t index, ByteView plain) {
        if (plain.size() != content_id_leaf_size || index >= remembered_max || !is_zero(plain))
            return hash_leaf(tree, index, plain);
        {
            const std::lock_guard lock(mutex);
            if (index < zero_leaves.size() && zero_leaves[index]) return *zero_leaves[index];
        }
        const Digest digest = hash_leaf(tree, index, plain);
        const std::lock_guard lock(mutex);
        if (index >= zero_leaves.size()) zero_leaves.resize(index + 1);
        zero_leaves[index] = digest;
        return digest;
    }

    const TreeHash tree;
    std::mutex mutex;
    std::vector<std::optional<Digest>> zero_leaves;  ///< by index
};

ContentIdHash::ContentIdHash(const ContentIdKey& key) : state_(std::make_unique<State>(key)) {}

ContentIdHash::ContentIdHash(ContentIdHash&&) noexcept = default;

ContentIdHash& ContentIdHash::operator=(ContentIdHash&&) noexcept = default;

ContentIdHash::~ContentIdHash() = default;

ContentId ContentIdHash::compute(ByteView plain, std::size_t worker_count) const {
    ContentIdBuilder builder(*this, plain.size());
    const std::size_t part_count = (plain.size() + part_size - 1) / part_size;
    for_each_index_in_parallel(part_count, worker_count, [&](std::size_t i) {
        const std::size_t offset = i * part_size;
        builder.add(offset, plain.subspan(offset, std::min(part_size, plain.size() - offset)));
    });
    return builder.finish();
}

struct ContentIdBuilder::State {
    ContentIdHash::State& hash;
    std::size_t plain_size;
    Bytes leaves;
    std::atomic<std::size_t> added_size{0};

    State(ContentIdHash::State& its_hash, std::size_t size)
        : hash(its_hash),
          plain_size(size),
          leaves((size / content_id_leaf_size + (size % content_id_leaf_size != 0 ? 1 : 0)) *
                 sizeof(Digest)) {}
};

ContentIdBuilder::ContentIdBuilder(const ContentIdHash& hash, std::size_t plain_size)
    : state_(std::make_unique<State>(*hash.state_, plain_size)) {}

ContentIdBuilder::ContentIdBuilder(ContentIdBuilder&&) noexcept = default;

ContentIdBuilder::~ContentIdBuilder() = default;

void ContentIdBuilder::add(std::size_t offset, ByteView part) {
    assert(offset % content_id_leaf_size == 0 && part.size() <= state_->plain_size - offset);
    assert(part.size() % content_id_leaf_size == 0 || offset + part.size() == state_->plain_size);
    state_->added_size += part.size();
    for (std::size_t i = offset / content_id_leaf_size; !part.empty(); ++i) {
        const ByteView leaf = part.first(std::min(content_id_leaf_size, part.size()));
        std::ranges::copy(state_->hash.leaf(i, leaf), &state_->leaves[i * sizeof(Digest)]);
        part = part.subspan(leaf.size());
    }
}

ContentId ContentIdBuilder::finish() const {
    assert(state_->added_size >= state_->plain_size);
    ContentId id;
    hash_root(state_->hash.tree, state_->plain_size, state_->leaves, id.bytes);
    return id;
}

}  // namespace walden::crypto
