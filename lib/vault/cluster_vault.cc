#include "vault/cluster_vault.h"

#include "base/error.h"
#include "base/format.h"
#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <cassert>

namespace walden::vault {

// What a codec hands over piece by piece are whole leaves of the content id.
static_assert(codec::decode_step_size % crypto::content_id_leaf_size == 0);

namespace {

/// What another copy can make up for. Not usage: a newer format, or keys that this host lacks.
bool is_damage(const Error& error) {
    return error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::foreign;
}

[[noreturn]] void fail_content_id(const Entry& entry) {
    throw Error(ErrorKind::corrupt, format("content id of \"{}\" does not match", entry.file_name));
}

}  // namespace

std::optional<Bytes> ClusterVault::get_record(ObjectKind kind, const std::string& key,
                                              std::uint64_t* stored_size) const {
    Bytes object;
    if (!storage_.get(key, object)) return std::nullopt;
    if (stored_size != nullptr) *stored_size = object.size();
    return in_context([&] { return format("open {} \"{}\"", to_string(kind), key); },
                      [&] {
                          Unsealed unsealed =
                              unseal_object(keys_, {.kind = kind, .key = key}, object);
                          if (unsealed.codec != codec::CodecId::none)
                              throw Error(ErrorKind::corrupt, "record is encoded");
                          return std::move(unsealed.encoded);
                      });
}

ObjectStorage::PutOutcome ClusterVault::put_record(ObjectKind kind, const std::string& key,
                                                   ByteView body) const {
    return storage_.put_new(key, seal_object(keys_, {.kind = kind, .key = key},
                                             {.codec = codec::CodecId::none,
                                              .plain_size = body.size(),
                                              .content_id = {},
                                              .encoded = body}));
}

std::optional<StoredEntry> ClusterVault::find_entry(const std::string& key) const {
    std::uint64_t size = 0;
    const auto body = get_record(ObjectKind::entry, key, &size);
    if (!body) return std::nullopt;
    return in_context([&] { return format("read entry \"{}\"", key); },
                      [&] { return StoredEntry{.entry = decode_entry(*body), .size = size}; });
}

std::size_t ClusterVault::piece_count(std::size_t plain_size) {
    return std::max<std::size_t>(1, (plain_size + piece_size_max - 1) / piece_size_max);
}

EncodedContents::Part ClusterVault::encode_part(ByteView plain, std::size_t index,
                                                const codec::EncodeOptions& options) const {
    const std::size_t offset = index * piece_size_max;
    const ByteView bytes = plain.subspan(offset, std::min(piece_size_max, plain.size() - offset));
    EncodedContents::Part part{.plain_size = bytes.size(),
                               .content_id = std::nullopt,
                               .encoded = codec::encode(bytes, options)};
    if (piece_count(plain.size()) > 1) part.content_id = content_id(bytes);
    return part;
}

EncodedContents ClusterVault::encode_contents(ByteView plain,
                                              const codec::EncodeOptions& options) const {
    EncodedContents contents{.plain_size = plain.size(), .parts = {}};
    for (std::size_t i = 0; i < piece_count(plain.size()); ++i)
        contents.parts.push_back(encode_part(plain, i, options));
    return contents;
}

void ClusterVault::put_contents(const EncodedContents& contents, Entry& entry) const {
    entry.plain_size = contents.plain_size;
    entry.inlined.clear();
    entry.pieces.assign(contents.parts.size(), Piece{});
    for_each_index_in_parallel(contents.parts.size(), parts_in_flight, [&](std::size_t i) {
        entry.pieces[i] = put_part(contents.parts[i], entry);
    });
}

void ClusterVault::put_contents(ByteView plain, const codec::EncodeOptions& options,
                                Entry& entry) const {
    entry.plain_size = plain.size();
    entry.inlined.clear();
    entry.pieces.assign(piece_count(plain.size()), Piece{});
    for_each_index_in_parallel(entry.pieces.size(), parts_in_flight, [&](std::size_t i) {
        entry.pieces[i] = put_part(encode_part(plain, i, options), entry);
    });
}

/// Called for several parts of one entry at once. Writes to the entry only for a file of one part,
/// and there only what the part itself is if it is small.
Piece ClusterVault::put_part(const EncodedContents::Part& part, Entry& entry) const {
    Piece piece{.content_id = part.content_id.value_or(entry.content_id),
                .plain_size = part.plain_size,
                .stored_size = 0,
                .codec = part.encoded.codec,
                .plain_reason = part.encoded.plain_reason};
    const std::string key = layout_.content_key(entry.file_name, piece.content_id);
    const Payload payload{.codec = part.encoded.codec,
                          .plain_size = part.plain_size,
                          .content_id = piece.content_id,
                          .encoded = part.encoded.bytes};
    Bytes object = seal_object(keys_, {.kind = ObjectKind::content, .key = key}, payload);
    piece.stored_size = object.size();
    if (!part.content_id && object.size() <= inline_size_max)
        entry.inlined = std::move(object);
    else
        piece.stored_size = put_content(key, payload, std::move(object));
    return piece;
}

/// Stores `sealed` under `key`, or finds there the same bytes, sealed by an earlier attempt or
/// another writer, maybe with another codec; else the same with the next copy. Returns the object's
/// size, which is what the entry must tell.
std::uint64_t ClusterVault::put_content(const std::string& key, const Payload& payload,
                                        Bytes sealed) const {
    std::optional<Error> damage;
    for (std::uint32_t copy = 0; copy <= content_copy_max; ++copy) {
        const std::string copy_key = ClusterLayout::content_copy_key(key, copy);
        const ObjectPlace place{.kind = ObjectKind::content, .key = copy_key};
        if (copy > 0) sealed = seal_object(keys_, place, payload);
        if (storage_.put_new(copy_key, sealed) == ObjectStorage::PutOutcome::created)
            return sealed.size();
        Bytes present;
        if (!storage_.get(copy_key, present))
            throw Error(ErrorKind::unavailable,
                        format("content \"{}\" was there and is gone", copy_key));
        try {
            in_context(
                [&] { return format("check content \"{}\" that was there before", copy_key); },
                [&] { inspect_object_at(keys_.repository(), place, present); });
            return present.size();
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
            if (!damage) damage = error;
        }
    }
    throw Error(*damage);
}

/// Whether `check` accepts a copy of the content. False if there is none; throws what is wrong with
/// the first one if there are only damaged ones.
bool ClusterVault::find_copy(const std::string& key,
                             const std::function<void(const std::string&, ByteView)>& check) const {
    std::optional<Error> damage;
    Bytes object;
    const auto is_accepted = [&](const std::string& copy_key) {
        if (!storage_.get(copy_key, object)) return false;
        try {
            check(copy_key, object);
            return true;
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
            if (!damage) damage = error;
            return false;
        }
    };
    if (is_accepted(key)) return true;
    std::vector<std::string> copies;
    storage_.list(key + ".", "", [&](const ObjectInfo& info) {
        if (ClusterLayout::content_of_copy(info.key) == key) copies.push_back(info.key);
        return true;
    });
    if (std::any_of(copies.begin(), copies.end(), is_accepted)) return true;
    if (damage) throw Error(*damage);
    return false;
}

ClusterVault::PublishOutcome ClusterVault::publish(const std::string& key,
                                                   const Entry& entry) const {
    if (put_record(ObjectKind::entry, key, encode_entry(entry)) ==
        ObjectStorage::PutOutcome::created)
        return PublishOutcome::created;
    const auto present = find_entry(key);
    if (!present)
        throw Error(ErrorKind::unavailable, format("entry \"{}\" was there and is gone", key));
    return present->entry.content_id == entry.content_id ? PublishOutcome::identical
                                                         : PublishOutcome::different;
}

void ClusterVault::make_durable(const std::string& key, const Entry& entry) const {
    // The name is taken, so this stores nothing; its contract is that what is there is durable.
    if (put_record(ObjectKind::entry, key, encode_entry(entry)) ==
        ObjectStorage::PutOutcome::created)
        throw Error(ErrorKind::unavailable, format("entry \"{}\" was there and is gone", key));
}

bool ClusterVault::has_contents(const Entry& entry) const {
    if (!entry.inlined.empty()) return true;
    const auto check = [&](const std::string& key, ByteView object) {
        in_context([&] { return format("check content \"{}\"", key); },
                   [&] {
                       inspect_object_at(keys_.repository(),
                                         {.kind = ObjectKind::content, .key = key}, object);
                   });
    };
    return std::all_of(entry.pieces.begin(), entry.pieces.end(), [&](const Piece& piece) {
        return find_copy(layout_.content_key(entry.file_name, piece.content_id), check);
    });
}

bool ClusterVault::shows_contents(const Entry& entry) const {
    if (!entry.inlined.empty()) return true;
    std::atomic<bool> shows_all{true};
    for_each_index_in_parallel(entry.pieces.size(), parts_in_flight, [&](std::size_t i) {
        const Piece& piece = entry.pieces[i];
        const auto object = storage_.stat(layout_.content_key(entry.file_name, piece.content_id));
        if (!object || object->size != piece.stored_size) shows_all = false;
    });
    return shows_all;
}

bool ClusterVault::has_whole_contents(const Entry& entry) const {
    try {
        return has_contents(entry);
    } catch (const Error& error) {
        if (!is_damage(error)) throw;
        return false;
    }
}

void ClusterVault::prove_content(
    const Unsealed& unsealed,
    const std::function<void(const codec::DecodeObserver&)>& decode) const {
    crypto::ContentIdBuilder id(content_id_hash_, unsealed.plain_size);
    decode([&](std::size_t offset, ByteView part) { id.add(offset, part); });
    if (id.finish() != unsealed.content_id)
        throw Error(ErrorKind::corrupt, "content id of the decoded bytes does not match");
}

void ClusterVault::decode_unsealed(const Unsealed& unsealed, MutableByteView plain) const {
    prove_content(unsealed, [&](const codec::DecodeObserver& see) {
        codec::decode_into(unsealed.codec, unsealed.encoded, worker_count_, plain, see);
    });
}

void ClusterVault::open_content(const std::string& key, ByteView object, Bytes& plain) const {
    const Unsealed unsealed =
        unseal_object(keys_, {.kind = ObjectKind::content, .key = key}, object);
    if (unsealed.plain_size > piece_size_max)
        throw Error(ErrorKind::corrupt,
                    format("content of {} bytes is larger than any", unsealed.plain_size));
    plain.resize(static_cast<std::size_t>(unsealed.plain_size));
    decode_unsealed(unsealed, plain);
}

void ClusterVault::open_pieces(const Entry& entry, const TakePiece& take) const {
    std::size_t begin = 0;
    for (const Piece& piece : entry.pieces) {
        const auto open = [&](const std::string& key, ByteView object) {
            in_context([&] { return format("open content \"{}\"", key); },
                       [&] {
                           const Unsealed unsealed = unseal_object(
                               keys_, {.kind = ObjectKind::content, .key = key}, object);
                           if (unsealed.plain_size != piece.plain_size ||
                               unsealed.content_id != piece.content_id)
                               throw Error(ErrorKind::corrupt,
                                           "content is not the one that the entry names");
                           take(unsealed, begin);
                       });
        };
        const std::string key = layout_.content_key(entry.file_name, piece.content_id);
        if (!entry.inlined.empty())
            open(key, entry.inlined);
        else if (!find_copy(key, open))
            throw Error(ErrorKind::corrupt,
                        format("content \"{}\" is missing, its entry is there", key));
        begin += piece.plain_size;
    }
    assert(begin == entry.plain_size);  // decode_entry checked that the sizes add up
}

void ClusterVault::read_contents(const Entry& entry, Bytes& plain) const {
    plain.resize(entry.plain_size);
    open_pieces(entry, [&](const Unsealed& unsealed, std::size_t begin) {
        decode_unsealed(unsealed, MutableByteView(plain).subspan(begin, unsealed.plain_size));
    });
    if (entry.pieces.size() > 1 && content_id(plain) != entry.content_id) fail_content_id(entry);
}

void ClusterVault::show_contents(const Entry& entry, const codec::DecodeObserver& observe) const {
    const bool has_pieces = entry.pieces.size() > 1;
    crypto::ContentIdBuilder whole(content_id_hash_, has_pieces ? entry.plain_size : 0);
    open_pieces(entry, [&](const Unsealed& unsealed, std::size_t begin) {
        prove_content(unsealed, [&](const codec::DecodeObserver& see) {
            codec::show(unsealed.codec, unsealed.encoded, unsealed.plain_size, worker_count_,
                        [&](std::size_t offset, ByteView part) {
                            see(offset, part);
                            if (has_pieces) whole.add(begin + offset, part);
                            observe(begin + offset, part);
                        });
        });
    });
    if (has_pieces && whole.finish() != entry.content_id) fail_content_id(entry);
}

std::optional<Claim> ClusterVault::find_claim(std::string_view timeline) const {
    std::optional<Claim> newest;
    for (std::uint32_t generation = 1;; ++generation) {
        const std::string key = layout_.claim_key(timeline, generation);
        const auto body = get_record(ObjectKind::claim, key);
        if (!body) return newest;
        newest = in_context([&] { return format("read claim \"{}\"", key); },
                            [&] { return decode_claim(*body); });
    }
}

std::optional<NewestClaim> ClusterVault::find_newest_claim(std::string_view timeline) const {
    std::optional<NewestClaim> newest;
    for (std::uint32_t generation = 1;; ++generation) {
        const std::string key = layout_.claim_key(timeline, generation);
        NewestClaim found{.generation = generation, .claim = std::nullopt, .damage = {}};
        try {
            const auto body = get_record(ObjectKind::claim, key);
            if (!body) return newest;
            found.claim = in_context([&] { return format("read claim \"{}\"", key); },
                                     [&] { return decode_claim(*body); });
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::foreign) throw;
            found.damage = error.message();
        }
        newest = std::move(found);
    }
}

bool ClusterVault::put_claim(std::string_view timeline, const Claim& claim) const {
    return put_record(ObjectKind::claim, layout_.claim_key(timeline, claim.generation),
                      encode_claim(claim)) == ObjectStorage::PutOutcome::created;
}

std::optional<ClusterIdentity> ClusterVault::find_identity() const {
    const std::string key = layout_.identity_key();
    const auto body = get_record(ObjectKind::identity, key);
    if (!body) return std::nullopt;
    return in_context([&] { return format("read identity \"{}\"", key); },
                      [&] { return decode_identity(*body); });
}

bool ClusterVault::put_identity(const ClusterIdentity& identity) const {
    return put_record(ObjectKind::identity, layout_.identity_key(), encode_identity(identity)) ==
           ObjectStorage::PutOutcome::created;
}

}  // namespace walden::vault
