// The contents of a cluster's WAL files: encoded, sealed and addressed by their content ids. What
// cannot be opened and proven to be the bytes that were archived is never handed out.
#pragma once

#include "codec/codec.h"
#include "vault/entry.h"
#include "vault/layout.h"
#include "vault/sealed_objects.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::vault {

/// A file's contents on their way into the store: encoded, and decoded again and compared. Does not
/// depend on the file's name.
struct EncodedContents {
    struct Part {
        std::size_t plain_size = 0;
        std::optional<crypto::ContentId> content_id;  ///< nullopt: the file's, of which it is all
        codec::Encoded encoded;
    };

    std::uint64_t plain_size = 0;
    std::vector<Part> parts;
};

/// All functions are safe to call from several threads and throw as SealedObjects does, with the
/// object's key in the message.
class Contents {
public:
    /// Both must outlive it. `worker_count`: threads for hashing and decoding one file.
    Contents(const SealedObjects& objects, const ClusterLayout& layout, std::size_t worker_count)
        : objects_(objects),
          layout_(layout),
          content_id_hash_(objects.keys().content_id_key()),
          worker_count_(worker_count) {}

    /// Parts of one file on their way at once: a distant store has its latency once and not for
    /// each.
    static constexpr std::size_t parts_in_flight = 4;

    /// The content id of these bytes in this cluster.
    [[nodiscard]] crypto::ContentId id_of(ByteView plain) const {
        return content_id_hash_.compute(plain, worker_count_);
    }

    /// Encodes the plain bytes of a file and checks the result; touches no storage.
    [[nodiscard]] EncodedContents encode(ByteView plain, const codec::EncodeOptions& options) const;

    /// Seals and stores the contents of a file, whose name and content id the caller has set in
    /// `entry`, and describes them there: plain_size, pieces, inlined. Contents up to
    /// inline_size_max stay in the entry. Durable when it returns. Where an object of that name is
    /// there and damaged, it stores another copy (FORMAT.md, section 6); Error(corrupt) if there
    /// are too many of those already.
    void put(const EncodedContents& contents, Entry& entry) const;

    /// Both in one: beside the plain bytes only `parts_in_flight` pieces are in memory.
    void put(ByteView plain, const codec::EncodeOptions& options, Entry& entry) const;

    /// Whether each piece is there, in some copy that is whole and the one of its name, as far as
    /// that can be told without opening it. Throws Error(corrupt | foreign) if all that is there of
    /// a piece is damaged.
    [[nodiscard]] bool has(const Entry& entry) const;

    /// As has(), and false, too, if a piece is damaged: whether there is nothing to put.
    [[nodiscard]] bool has_whole(const Entry& entry) const;

    /// Whether the store shows an object of the right name and size for each piece: one small
    /// request for each, and no content is read. Where that is false, has() may still find a copy;
    /// where it is true, the bytes may still be damaged.
    [[nodiscard]] bool has_by_size(const Entry& entry) const;

    /// The plain bytes, proven: every frame's tag, the codec's size and the content id. Throws
    /// Error(corrupt) also when a piece is missing.
    void read(const Entry& entry, Bytes& plain) const;

    /// The same without keeping them: `observe` sees the parts of the file when they are decoded
    /// and before they are proven, which they are when this returns: for a copy that is thrown away
    /// otherwise. Parts come on several threads; those of a piece of which one copy is damaged come
    /// again.
    void show(const Entry& entry, const codec::DecodeObserver& observe) const;

    /// The plain bytes of one content, whose object somebody brought, proven as by read().
    /// `key` is where it lies in the store, or lay. Throws what unseal_object throws,
    /// Error(corrupt) for bytes that are not those that were archived.
    void open(const std::string& key, ByteView object, Bytes& plain) const;

private:
    /// Judges an object that lies under a key; throws what is wrong with it.
    using CheckObject = std::function<void(const std::string& key, ByteView object)>;
    /// Takes the object of the piece that begins at `begin` in the file.
    using TakePiece = std::function<void(const Unsealed& unsealed, std::size_t begin)>;

    [[nodiscard]] EncodedContents::Part encode_part(ByteView plain, std::size_t index,
                                                    const codec::EncodeOptions& options) const;
    [[nodiscard]] Piece put_part(const EncodedContents::Part& part, Entry& entry) const;
    std::uint64_t put_content(const std::string& key, const Payload& payload, Bytes sealed) const;
    [[nodiscard]] bool find_copy(const std::string& key, const CheckObject& check) const;

    [[nodiscard]] std::string key_of(const Entry& entry, const Piece& piece) const {
        return layout_.content_key(entry.file_name, piece.content_id);
    }

    void open_pieces(const Entry& entry, const TakePiece& take) const;
    /// Decodes with `decode`, which shows it the parts.
    void prove(const Unsealed& unsealed,
               const std::function<void(const codec::DecodeObserver&)>& decode) const;
    void decode_unsealed(const Unsealed& unsealed, MutableByteView plain) const;

    const SealedObjects& objects_;
    const ClusterLayout& layout_;
    crypto::ContentIdHash content_id_hash_;
    std::size_t worker_count_;
};

}  // namespace walden::vault
