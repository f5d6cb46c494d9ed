#include "vault/backup_store.h"

#include "base/error.h"
#include "base/format.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"

#include <algorithm>
#include <charconv>

namespace walden::vault {

namespace {

constexpr std::string_view page_tag_label = "walden/v1/page-tags";

}  // namespace

bool BackupStore::put(const std::string& key, ByteView plain) const {
    return objects_.put_record({.kind = ObjectKind::backup, .key = key}, plain) ==
           ObjectStorage::PutOutcome::created;
}

template <class Record>
std::optional<Record> BackupStore::find(const std::string& key, const BackupId& id,
                                        Record (*decode)(ByteView)) const {
    return objects_.read_record({.kind = ObjectKind::backup, .key = key}, [&](ByteView body) {
        Record record = decode(body);
        if (record.id != id)
            throw Error(ErrorKind::corrupt, format("it is of backup {}", record.id.text()));
        return record;
    });
}

bool BackupStore::put_intent(const BackupIntent& intent) const {
    return put(layout_.intent_key(intent.id), encode_intent(intent));
}

bool BackupStore::put_outcome(const BackupOutcome& outcome) const {
    return put(layout_.outcome_key(outcome.id), encode_outcome(outcome));
}

bool BackupStore::put_tomb(const BackupTomb& tomb) const {
    return put(layout_.tomb_key(tomb.id), encode_tomb(tomb));
}

std::optional<BackupIntent> BackupStore::find_intent(const BackupId& id) const {
    return find(layout_.intent_key(id), id, decode_intent);
}

std::optional<BackupOutcome> BackupStore::find_outcome(const BackupId& id) const {
    return find(layout_.outcome_key(id), id, decode_outcome);
}

std::optional<BackupTomb> BackupStore::find_tomb(const BackupId& id) const {
    return find(layout_.tomb_key(id), id, decode_tomb);
}

BackupOutcome BackupStore::settle(const BackupOutcome& outcome) const {
    if (put_outcome(outcome)) return outcome;
    const auto present = find_outcome(outcome.id);
    if (!present)
        throw Error(ErrorKind::unavailable,
                    format("outcome of backup {} is there and cannot be read", outcome.id.text()));
    return *present;
}

std::vector<BackupId> BackupStore::list() const {
    const std::string prefix = layout_.backups_prefix();
    std::vector<BackupId> ids;
    // Jump from one backup to the next: most of what lies there are packs.
    std::string after;
    for (bool is_more = true; is_more;) {
        is_more = false;
        storage().list(prefix, after, [&](const ObjectInfo& object) {
            is_more = true;
            const std::string name = object.key.substr(prefix.size(), BackupId::size);
            const auto id = parse_backup_id(name);
            const bool is_backup = id && object.key.size() > prefix.size() + BackupId::size &&
                                   object.key[prefix.size() + BackupId::size] == '/';
            if (is_backup) ids.push_back(*id);
            // '0' follows '/': the smallest key behind everything of this backup.
            after = is_backup ? prefix + name + "0" : object.key;
            return false;
        });
    }
    return ids;
}

std::vector<std::uint32_t> BackupStore::list_numbers(const std::string& prefix) const {
    std::vector<std::uint32_t> numbers;
    storage().list(prefix, "", [&](const ObjectInfo& object) {
        const std::string_view digits = std::string_view(object.key).substr(prefix.size());
        std::uint32_t number = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (error == std::errc() && digits.size() == 8 && number > 0 &&
            end == digits.data() + digits.size())
            numbers.push_back(number);
        return true;
    });
    return numbers;
}

BackupStore::SealedMap BackupStore::seal_map(const BackupId& id, std::uint32_t number,
                                             ByteView plain) const {
    SealedMap map;
    map.key = layout_.map_key(id, number);
    map.digest = digest_of_map(number, plain);
    const codec::Encoded encoded = codec::encode(plain, {.method = codec::CodecId::zstd});
    map.object =
        objects_.seal({.kind = ObjectKind::map, .key = map.key}, {.codec = encoded.codec,
                                                                  .plain_size = plain.size(),
                                                                  .content_id = {},
                                                                  .encoded = encoded.bytes});
    return map;
}

Bytes BackupStore::read_map(const BackupId& id, std::uint32_t number) const {
    const std::string key = layout_.map_key(id, number);
    const auto object = objects_.get({.kind = ObjectKind::map, .key = key});
    if (!object) throw Error(ErrorKind::missing, format("map \"{}\" is not in the archive", key));
    return in_context([&] { return format("read map \"{}\"", key); },
                      [&] {
                          const Unsealed& opened = object->unsealed;
                          Bytes plain;
                          codec::decode(opened.codec, opened.encoded, opened.plain_size, 1, plain);
                          return plain;
                      });
}

Bytes BackupStore::read_map(const MapRef& map) const {
    Bytes plain = read_map(map.backup, map.number);
    if (crypto::sha256(plain) != map.sha256)
        throw Error(ErrorKind::corrupt, format("map \"{}\" is not the one that its backup named",
                                               layout_.map_key(map.backup, map.number)));
    return plain;
}

std::optional<IndexEntry> BackupIndexReader::next() {
    while (true) {
        if (part_)
            if (auto entry = part_->next()) {
                if (!last_path_.empty() && !comes_before(last_path_, entry->path))
                    throw Error(ErrorKind::corrupt,
                                format("index of backup {} is out of order", id_.text()));
                last_path_ = entry->path;
                return entry;
            }
        if (next_part_ == parts_.size()) return std::nullopt;
        part_.reset();
        part_.emplace(store_.read_map(id_, parts_[next_part_++]), page_size_);
    }
}

Section SectionReader::read(const SectionRef& section, const SectionShape& shape) {
    const std::shared_ptr<const Bytes> map = find(section.map);
    return in_context(
        [&] {
            return format("map \"{}\"",
                          store_.layout().map_key(section.map.backup, section.map.number));
        },
        [&] {
            if (map_kind(*map) != MapKind::sections ||
                std::uint64_t{section.offset} + section.size > map->size())
                throw Error(ErrorKind::corrupt, "it does not hold the section that it should");
            return decode_section(ByteView(*map).subspan(section.offset, section.size), shape);
        });
}

std::shared_ptr<const Bytes> SectionReader::find(const MapRef& map) {
    auto kept = kept_.with([&](std::list<Kept>& list) -> std::shared_ptr<const Bytes> {
        const auto place = std::find_if(
            list.begin(), list.end(), [&](const Kept& candidate) { return candidate.map == map; });
        if (place == list.end()) return nullptr;
        list.splice(list.begin(), list, place);
        return list.front().plain;
    });
    if (kept) return kept;
    kept = std::make_shared<const Bytes>(store_.read_map(map));
    kept_.with([&](std::list<Kept>& list) {
        list.push_front({.map = map, .plain = kept});
        if (list.size() > map_count_) list.pop_back();
    });
    return kept;
}

MapDigest digest_of_map(std::uint32_t number, ByteView plain) {
    return {.number = number, .plain_size = plain.size(), .sha256 = crypto::sha256(plain)};
}

crypto::PageTagger make_page_tagger(const ClusterKeyring& keys) {
    if (keys.suite() != crypto::Suite::none)
        return crypto::PageTagger(crypto::derive_key(keys.metadata_key(), page_tag_label));
    Secret<32> key;
    crypto::sha256({as_bytes(page_tag_label), keys.repository()}, key.writable().first<32>());
    return crypto::PageTagger(key);
}

}  // namespace walden::vault
