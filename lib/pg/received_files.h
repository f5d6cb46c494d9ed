// What comes in the archives of a BASE_BACKUP, on its way to whoever stores it: where each entry
// belongs, what is not for the store, and whether the server's manifest agrees.
#pragma once

#include "base/bytes.h"
#include "base/hash.h"
#include "pg/backup_manifest.h"
#include "pg/data_files.h"
#include "pg/tablespace_map.h"
#include "pg/tar_reader.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace walden::pg {

/// Gets the entries of a backup in the order of the server, which is not that of the paths.
class BackupFileVisitor {
public:
    virtual ~BackupFileVisitor() = default;

    /// A directory, a link, or a file whose bytes follow. What a scan leaves out (is_left_out) is
    /// not told, nor are backup_label, tablespace_map and global/pg_control.
    virtual void on_entry(const DataFile& file) = 0;

    /// A piece of the file that was told last, of 32 KiB mostly; all together they have its size.
    virtual void on_data(ByteView piece) = 0;

    virtual void on_file_end() = 0;
};

/// One backup; one thread at a time. Keeps 24 bytes for each file.
class ReceivedFiles final : public TarSink {
public:
    /// `visitor` must outlive this.
    explicit ReceivedFiles(BackupFileVisitor& visitor) : visitor_(visitor) {}

    /// The archive of the data directory follows.
    void begin_data_directory() { prefix_.clear(); }

    /// The archive of a tablespace follows. Tells its link as well: with the option TABLESPACE_MAP
    /// the server sends none.
    void begin_tablespace(const Tablespace& tablespace);

    void on_entry(const TarEntry& entry) override;
    void on_data(ByteView piece) override;
    void on_file_end() override;

    /// All archives are there, the manifest may follow. Throws Error(corrupt) if a file came twice.
    void end_archives();

    /// Throws Error(corrupt) unless that file came with this size and checksum, and once.
    void compare(const ManifestFile& file);

    /// The manifest is over. Throws Error(corrupt) if it lacks a file that came.
    void end_manifest() const;

    [[nodiscard]] const std::string& label_text() const { return label_; }

    [[nodiscard]] const std::string& tablespace_map_text() const { return tablespace_map_; }

    [[nodiscard]] ByteView control_file() const { return as_bytes(control_file_); }

private:
    struct Received {
        std::uint64_t path_hash = 0;
        std::uint64_t size = 0;
        std::uint32_t crc = 0;
        bool is_in_manifest = false;
    };

    [[nodiscard]] std::string* text_for(std::string_view path);

    BackupFileVisitor& visitor_;
    std::string prefix_;
    std::vector<Received> received_;  ///< ascending by hash once all archives are there
    std::string path_;                ///< of the current file
    bool is_told_ = false;
    std::string* text_ = nullptr;  ///< where the current file is kept, if it is one of the three
    std::uint32_t crc_ = crc32c_start;
    std::uint64_t size_ = 0;
    std::string label_;
    std::string tablespace_map_;
    std::string control_file_;
};

}  // namespace walden::pg
