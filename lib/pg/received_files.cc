#include "pg/received_files.h"

#include "base/error.h"
#include "base/format.h"

#include <algorithm>

namespace walden::pg {

namespace {

constexpr std::size_t kept_file_size_max = 1 << 20;

[[noreturn]] void refuse(const std::string& what) {
    throw Error(ErrorKind::corrupt, what)
        .with_hint(
            "What the server sent and what it says it sent are not the same. Start the backup "
            "again.");
}

/// Whoever could make two names collide has the server, and needs no collision.
std::uint64_t hash_of(std::string_view path) {
    return xxh3_64(as_bytes(path));
}

}  // namespace

void ReceivedFiles::begin_tablespace(const Tablespace& tablespace) {
    const std::string path = format("pg_tblspc/{}", tablespace.oid);
    constexpr std::uint32_t mode_of_links = 0777;
    visitor_.on_entry({.path = path,
                       .kind = DataFileKind::tablespace_link,
                       .mode = mode_of_links,
                       .target = tablespace.location});
    prefix_ = path + "/";
}

std::string* ReceivedFiles::text_for(std::string_view path) {
    if (path == "backup_label") return &label_;
    if (path == "tablespace_map") return &tablespace_map_;
    if (path == "global/pg_control") return &control_file_;
    return nullptr;
}

void ReceivedFiles::on_entry(const TarEntry& entry) {
    path_ = prefix_ + entry.path;
    text_ = entry.kind == TarEntryKind::file ? text_for(path_) : nullptr;
    crc_ = crc32c_start;
    size_ = entry.size;
    if (text_ != nullptr && (entry.size > kept_file_size_max || !text_->empty()))
        refuse(format("the server sent a \"{}\" that is too large, or comes twice", path_));
    is_told_ = text_ == nullptr && !is_left_out(path_);
    if (!is_told_) return;
    DataFile file{.path = path_, .mode = entry.mode, .modified = entry.modified};
    if (entry.kind == TarEntryKind::directory) {
        file.kind = DataFileKind::directory;
    } else if (entry.kind == TarEntryKind::link) {
        file.kind =
            is_tablespace_path(path_) ? DataFileKind::tablespace_link : DataFileKind::other_link;
        file.target = entry.target;
    } else {
        file.size = entry.size;
        file.relation = parse_relation_path(path_);
    }
    visitor_.on_entry(file);
}

void ReceivedFiles::on_data(ByteView piece) {
    crc_ = crc32c_update(crc_, piece);
    if (text_ != nullptr) text_->append(as_text(piece));
    if (is_told_) visitor_.on_data(piece);
}

void ReceivedFiles::on_file_end() {
    received_.push_back({.path_hash = hash_of(path_), .size = size_, .crc = crc32c_finish(crc_)});
    if (is_told_) visitor_.on_file_end();
}

void ReceivedFiles::end_archives() {
    const auto by_hash = [](const Received& a, const Received& b) {
        return a.path_hash < b.path_hash;
    };
    std::sort(received_.begin(), received_.end(), by_hash);
    for (std::size_t i = 1; i < received_.size(); ++i)
        if (received_[i - 1].path_hash == received_[i].path_hash)
            refuse("the server sent a file twice");
}

void ReceivedFiles::compare(const ManifestFile& file) {
    const std::uint64_t hash = hash_of(file.path);
    const auto place =
        std::lower_bound(received_.begin(), received_.end(), hash,
                         [](const Received& a, std::uint64_t b) { return a.path_hash < b; });
    if (place == received_.end() || place->path_hash != hash)
        refuse(format("\"{}\" did not come, and is in the backup manifest", file.path));
    if (place->is_in_manifest) refuse(format("\"{}\" is in the backup manifest twice", file.path));
    if (place->size != file.size || (file.crc32c && place->crc != *file.crc32c))
        refuse(format("\"{}\" is not as the backup manifest says", file.path));
    place->is_in_manifest = true;
}

void ReceivedFiles::end_manifest() const {
    const auto missing = std::count_if(received_.begin(), received_.end(),
                                       [](const Received& file) { return !file.is_in_manifest; });
    if (missing != 0) refuse(format("{} files came that the backup manifest lacks", missing));
}

}  // namespace walden::pg
