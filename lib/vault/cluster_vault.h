// One cluster's part of a repository: entries, contents, claims. The only place that seals and
// unseals them, and the only one that publishes.
#pragma once

#include "codec/codec.h"
#include "vault/container.h"
#include "vault/entry.h"
#include "vault/keyring.h"
#include "vault/layout.h"
#include "vault/object_storage.h"
#include "vault/records.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::vault {

/// An entry as the store has it.
struct StoredEntry {
    Entry entry;
    std::uint64_t size = 0;  ///< of the entry's own object, bytes
};

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

/// The newest generation of a timeline's claims, by its name.
struct NewestClaim {
    std::uint32_t generation = 0;
    std::optional<Claim> claim;  ///< nullopt if the object is damaged
    std::string damage;          ///< how, with the object's key
};

/// All functions are safe to call from several threads and throw what ObjectStorage throws, plus
/// Error(corrupt | foreign | usage) of unseal_object with the object's key in the message.
class ClusterVault {
public:
    /// `storage` must outlive the vault.
    ClusterVault(ObjectStorage& storage, ClusterKeyring keys, ClusterLayout layout,
                 std::size_t worker_count)
        : storage_(storage),
          keys_(std::move(keys)),
          content_id_hash_(keys_.content_id_key()),
          layout_(std::move(layout)),
          worker_count_(worker_count) {}

    [[nodiscard]] const ClusterLayout& layout() const { return layout_; }

    [[nodiscard]] const ClusterKeyring& keys() const { return keys_; }

    [[nodiscard]] ObjectStorage& storage() const { return storage_; }

    [[nodiscard]] crypto::ContentId content_id(ByteView plain) const {
        return content_id_hash_.compute(plain, worker_count_);
    }

    /// nullopt if the store positively has no such entry.
    [[nodiscard]] std::optional<StoredEntry> find_entry(const std::string& key) const;

    enum class PublishOutcome : std::uint8_t {
        created,    ///< the entry is ours and durable
        identical,  ///< the name holds the same content already, and is durable
        different,  ///< the name holds other content, which is untouched
    };

    /// Parts of one file on their way at once: a distant store has its latency once and not for
    /// each.
    static constexpr std::size_t parts_in_flight = 4;

    /// Encodes the plain bytes of a file and checks the result; touches no storage.
    [[nodiscard]] EncodedContents encode_contents(ByteView plain,
                                                  const codec::EncodeOptions& options) const;

    /// Seals and stores the contents of a file, whose name and content id the caller has set in
    /// `entry`, and describes them there: plain_size, pieces, inlined. Contents up to
    /// inline_size_max stay in the entry. Durable when it returns. Where an object of that name is
    /// there and damaged, it stores another copy (FORMAT.md, section 6); Error(corrupt) if there
    /// are too many of those already.
    void put_contents(const EncodedContents& contents, Entry& entry) const;

    /// Both in one: beside the plain bytes only `parts_in_flight` pieces are in memory.
    void put_contents(ByteView plain, const codec::EncodeOptions& options, Entry& entry) const;

    /// Creates the entry, whose contents were put before. After an unknown outcome or a taken
    /// name it reads what is there and compares the content id.
    PublishOutcome publish(const std::string& key, const Entry& entry) const;

    /// Makes sure that an entry found in the store is durable, name included: another writer may
    /// have died just before its last sync.
    void make_durable(const std::string& key, const Entry& entry) const;

    /// Whether each piece is there, in some copy that is whole and the one of its name, as far as
    /// that can be told without opening it. Throws Error(corrupt | foreign) if all that is there of
    /// a piece is damaged.
    [[nodiscard]] bool has_contents(const Entry& entry) const;

    /// Whether the store shows an object of the right name and size for each piece: one small
    /// request for each, and no content is read. Where that is false, has_contents() may still find
    /// a copy; where it is true, the bytes may still be damaged.
    [[nodiscard]] bool shows_contents(const Entry& entry) const;

    /// As has_contents, and false, too, if a piece is damaged: whether there is nothing to put.
    [[nodiscard]] bool has_whole_contents(const Entry& entry) const;

    /// The plain bytes, proven: every frame's tag, the codec's size and the content id. Throws
    /// Error(corrupt) also when a piece is missing.
    void read_contents(const Entry& entry, Bytes& plain) const;

    /// The same without keeping them: `observe` sees the parts of the file when they are decoded
    /// and before they are proven, which they are when this returns: for a copy that is thrown away
    /// otherwise. Parts come on several threads; those of a piece of which one copy is damaged come
    /// again.
    void show_contents(const Entry& entry, const codec::DecodeObserver& observe) const;

    /// The plain bytes of one content, whose object somebody brought, proven as by read_contents().
    /// `key` is where it lies in the store, or lay. Throws what unseal_object throws,
    /// Error(corrupt) for bytes that are not those that were archived.
    void open_content(const std::string& key, ByteView object, Bytes& plain) const;

    /// The newest claim on a timeline (8 hex digits), nullopt if nobody made one. Throws
    /// Error(corrupt | foreign) if any generation is damaged: for those who look for damage.
    [[nodiscard]] std::optional<Claim> find_claim(std::string_view timeline) const;

    /// As find_claim, and damage is an answer: for those who must go on (FORMAT.md, section 6).
    [[nodiscard]] std::optional<NewestClaim> find_newest_claim(std::string_view timeline) const;

    /// False if that generation exists already.
    [[nodiscard]] bool put_claim(std::string_view timeline, const Claim& claim) const;

    [[nodiscard]] std::optional<ClusterIdentity> find_identity() const;

    /// False if it exists already.
    [[nodiscard]] bool put_identity(const ClusterIdentity& identity) const;

private:
    [[nodiscard]] std::optional<Bytes> get_record(ObjectKind kind, const std::string& key,
                                                  std::uint64_t* stored_size = nullptr) const;
    ObjectStorage::PutOutcome put_record(ObjectKind kind, const std::string& key,
                                         ByteView body) const;
    [[nodiscard]] static std::size_t piece_count(std::size_t plain_size);
    [[nodiscard]] EncodedContents::Part encode_part(ByteView plain, std::size_t index,
                                                    const codec::EncodeOptions& options) const;
    [[nodiscard]] Piece put_part(const EncodedContents::Part& part, Entry& entry) const;
    std::uint64_t put_content(const std::string& key, const Payload& payload, Bytes sealed) const;
    [[nodiscard]] bool find_copy(
        const std::string& key,
        const std::function<void(const std::string&, ByteView)>& check) const;
    /// Takes the object of the piece that begins at `begin` in the file.
    using TakePiece = std::function<void(const Unsealed& unsealed, std::size_t begin)>;
    void open_pieces(const Entry& entry, const TakePiece& take) const;
    /// Decodes with `decode`, which shows it the parts.
    void prove_content(const Unsealed& unsealed,
                       const std::function<void(const codec::DecodeObserver&)>& decode) const;
    void decode_unsealed(const Unsealed& unsealed, MutableByteView plain) const;

    ObjectStorage& storage_;
    ClusterKeyring keys_;
    crypto::ContentIdHash content_id_hash_;
    ClusterLayout layout_;
    std::size_t worker_count_;
};

}  // namespace walden::vault
