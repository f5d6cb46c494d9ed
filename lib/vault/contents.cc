#include "vault/contents.h"

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

ObjectPlace content_place(const std::string& key) {
    return {.kind = ObjectKind::content, .key = key};
}

std::size_t piece_count(std::size_t plain_size) {
    return std::max<std::size_t>(1, (plain_size + piece_size_max - 1) / piece_size_max);
}

[[noreturn]] void fail_content_id(const Entry& entry) {
    throw Error(ErrorKind::corrupt, format("content id of \"{}\" does not match", entry.file_name));
}

}  // namespace

EncodedContents::Part Contents::encode_part(ByteView plain, std::size_t index,
                                            const codec::EncodeOptions& options) const {
    const std::size_t offset = index * piece_size_max;
    const ByteView bytes = plain.subspan(offset, std::min(piece_size_max, plain.size() - offset));
    EncodedContents::Part part{.plain_size = bytes.size(),
                               .content_id = std::nullopt,
                               .encoded = codec::encode(bytes, options)};
    if (piece_count(plain.size()) > 1) part.content_id = id_of(bytes);
    return part;
}

EncodedContents Contents::encode(ByteView plain, const codec::EncodeOptions& options) const {
    EncodedContents contents{.plain_size = plain.size(), .parts = {}};
    for (std::size_t i = 0; i < piece_count(plain.size()); ++i)
        contents.parts.push_back(encode_part(plain, i, options));
    return contents;
}

void Contents::put(const EncodedContents& contents, Entry& entry) const {
    entry.plain_size = contents.plain_size;
    entry.inlined.clear();
    entry.pieces.assign(contents.parts.size(), Piece{});
    for_each_index_in_parallel(contents.parts.size(), parts_in_flight, [&](std::size_t i) {
        entry.pieces[i] = put_part(contents.parts[i], entry);
    });
}

void Contents::put(ByteView plain, const codec::EncodeOptions& options, Entry& entry) const {
    entry.plain_size = plain.size();
    entry.inlined.clear();
    entry.pieces.assign(piece_count(plain.size()), Piece{});
    for_each_index_in_parallel(entry.pieces.size(), parts_in_flight, [&](std::size_t i) {
        entry.pieces[i] = put_part(encode_part(plain, i, options), entry);
    });
}

/// Called for several parts of one entry at once. Writes to the entry only for a file of one part,
/// and there only what the part itself is if it is small.
Piece Contents::put_part(const EncodedContents::Part& part, Entry& entry) const {
    Piece piece{.content_id = part.content_id.value_or(entry.content_id),
                .plain_size = part.plain_size,
                .stored_size = 0,
                .codec = part.encoded.codec,
                .plain_reason = part.encoded.plain_reason};
    const std::string key = key_of(entry, piece);
    const Payload payload{.codec = part.encoded.codec,
                          .plain_size = part.plain_size,
                          .content_id = piece.content_id,
                          .encoded = part.encoded.bytes};
    Bytes object = objects_.seal(content_place(key), payload);
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
std::uint64_t Contents::put_content(const std::string& key, const Payload& payload,
                                    Bytes sealed) const {
    std::optional<Error> damage;
    for (std::uint32_t copy = 0; copy <= content_copy_max; ++copy) {
        const std::string copy_key = ClusterLayout::content_copy_key(key, copy);
        const ObjectPlace place = content_place(copy_key);
        if (copy > 0) sealed = objects_.seal(place, payload);
        if (objects_.storage().put_new(copy_key, sealed) == ObjectStorage::PutOutcome::created)
            return sealed.size();
        Bytes present;
        if (!objects_.storage().get(copy_key, present))
            throw Error(ErrorKind::unavailable,
                        format("content \"{}\" was there and is gone", copy_key));
        try {
            in_context(
                [&] { return format("check content \"{}\" that was there before", copy_key); },
                [&] { objects_.inspect(place, present); });
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
bool Contents::find_copy(const std::string& key, const CheckObject& check) const {
    std::optional<Error> damage;
    Bytes object;
    const auto is_accepted = [&](const std::string& copy_key) {
        if (!objects_.storage().get(copy_key, object)) return false;
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
    objects_.storage().list(key + ".", "", [&](const ObjectInfo& info) {
        if (ClusterLayout::content_of_copy(info.key) == key) copies.push_back(info.key);
        return true;
    });
    if (std::any_of(copies.begin(), copies.end(), is_accepted)) return true;
    if (damage) throw Error(*damage);
    return false;
}

bool Contents::has(const Entry& entry) const {
    if (!entry.inlined.empty()) return true;
    const auto check = [&](const std::string& key, ByteView object) {
        in_context([&] { return format("check content \"{}\"", key); },
                   [&] { objects_.inspect(content_place(key), object); });
    };
    return std::all_of(entry.pieces.begin(), entry.pieces.end(),
                       [&](const Piece& piece) { return find_copy(key_of(entry, piece), check); });
}

bool Contents::has_by_size(const Entry& entry) const {
    if (!entry.inlined.empty()) return true;
    std::atomic<bool> shows_all{true};
    for_each_index_in_parallel(entry.pieces.size(), parts_in_flight, [&](std::size_t i) {
        const Piece& piece = entry.pieces[i];
        const auto object = objects_.storage().stat(key_of(entry, piece));
        if (!object || object->size != piece.stored_size) shows_all = false;
    });
    return shows_all;
}

bool Contents::has_whole(const Entry& entry) const {
    try {
        return has(entry);
    } catch (const Error& error) {
        if (!is_damage(error)) throw;
        return false;
    }
}

void Contents::prove(const Unsealed& unsealed,
                     const std::function<void(const codec::DecodeObserver&)>& decode) const {
    crypto::ContentIdBuilder id(content_id_hash_, unsealed.plain_size);
    decode([&](std::size_t offset, ByteView part) { id.add(offset, part); });
    if (id.finish() != unsealed.content_id)
        throw Error(ErrorKind::corrupt, "content id of the decoded bytes does not match");
}

void Contents::decode_unsealed(const Unsealed& unsealed, MutableByteView plain) const {
    prove(unsealed, [&](const codec::DecodeObserver& see) {
        codec::decode_into(unsealed.codec, unsealed.encoded, worker_count_, plain, see);
    });
}

void Contents::open(const std::string& key, ByteView object, Bytes& plain) const {
    const Unsealed unsealed = objects_.unseal(content_place(key), object);
    if (unsealed.plain_size > piece_size_max)
        throw Error(ErrorKind::corrupt,
                    format("content of {} bytes is larger than any", unsealed.plain_size));
    plain.resize(static_cast<std::size_t>(unsealed.plain_size));
    decode_unsealed(unsealed, plain);
}

void Contents::open_pieces(const Entry& entry, const TakePiece& take) const {
    std::size_t begin = 0;
    for (const Piece& piece : entry.pieces) {
        const auto open = [&](const std::string& key, ByteView object) {
            in_context([&] { return format("open content \"{}\"", key); },
                       [&] {
                           const Unsealed unsealed = objects_.unseal(content_place(key), object);
                           if (unsealed.plain_size != piece.plain_size ||
                               unsealed.content_id != piece.content_id)
                               throw Error(ErrorKind::corrupt,
                                           "content is not the one that the entry names");
                           take(unsealed, begin);
                       });
        };
        const std::string key = key_of(entry, piece);
        if (!entry.inlined.empty())
            open(key, entry.inlined);
        else if (!find_copy(key, open))
            throw Error(ErrorKind::corrupt,
                        format("content \"{}\" is missing, its entry is there", key));
        begin += piece.plain_size;
    }
    assert(begin == entry.plain_size);  // decode_entry checked that the sizes add up
}

void Contents::read(const Entry& entry, Bytes& plain) const {
    plain.resize(entry.plain_size);
    open_pieces(entry, [&](const Unsealed& unsealed, std::size_t begin) {
        decode_unsealed(unsealed, MutableByteView(plain).subspan(begin, unsealed.plain_size));
    });
    if (entry.pieces.size() > 1 && id_of(plain) != entry.content_id) fail_content_id(entry);
}

void Contents::show(const Entry& entry, const codec::DecodeObserver& observe) const {
    const bool has_pieces = entry.pieces.size() > 1;
    crypto::ContentIdBuilder whole(content_id_hash_, has_pieces ? entry.plain_size : 0);
    open_pieces(entry, [&](const Unsealed& unsealed, std::size_t begin) {
        prove(unsealed, [&](const codec::DecodeObserver& see) {
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

}  // namespace walden::vault
