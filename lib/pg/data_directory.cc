#include "pg/data_directory.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "wal/page_header.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <charconv>
#include <memory>

namespace walden::pg {

namespace {

std::uint16_t read_major_version(const std::string& pgdata) {
    const std::string path = pgdata + "/PG_VERSION";
    const auto bytes = read_file(path, 64);
    std::uint16_t major = 0;
    if (bytes) {
        const std::string_view text = as_text(*bytes);
        std::from_chars(text.data(), text.data() + text.size(), major);
    }
    if (major == 0) throw Error(ErrorKind::io, format("\"{}\" names no version", path));
    return major;
}

std::optional<wal::SegmentSize> segment_size_in(const std::string& path,
                                                std::uint64_t system_identifier) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) return std::nullopt;  // recycled meanwhile
    const Bytes head = read_range(fd.get(), 0, wal::long_page_header_size, path);
    const auto parsed = wal::parse_segment_header(head);
    if (!parsed.header || parsed.header->system_identifier != system_identifier)
        return std::nullopt;
    return parsed.header->segment_size;
}

wal::SegmentSize find_segment_size(const std::string& pgdata, std::uint64_t system_identifier) {
    const std::string directory = pgdata + "/pg_wal";
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
    if (!dir) throw system_error(ErrorKind::io, format("open directory \"{}\"", directory), errno);
    while (const dirent* item = ::readdir(dir.get())) {
        const auto name = wal::parse_wal_file_name(item->d_name);
        if (!name || name->kind != wal::WalFileKind::segment) continue;
        if (const auto size = segment_size_in(directory + "/" + item->d_name, system_identifier))
            return *size;
    }
    throw Error(ErrorKind::io,
                format("\"{}\" holds no segment of cluster {}", directory, system_identifier))
        .with_hint("Start the server once, then try again.");
}

}  // namespace

std::optional<DataDirectory> read_data_directory(const std::string& pgdata) {
    const auto control = read_control_file(pgdata);
    if (!control) return std::nullopt;
    return DataDirectory{
        .control = *control,
        .major_version = read_major_version(pgdata),
        .segment_size = control->segment_size
                            ? *control->segment_size
                            : find_segment_size(pgdata, control->system_identifier)};
}

}  // namespace walden::pg
