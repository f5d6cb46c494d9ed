// Reads the archives that PostgreSQL's BASE_BACKUP sends, while they come: ustar (POSIX.1-1988),
// with what others add for long names and sizes.
//
//   header   512 bytes: name 100, mode 8, uid 8, gid 8, size 12, mtime 12, checksum 8, type 1,
//            link 100, "ustar", version 2, user 32, group 32, device 16, prefix 155, padding 12
//   data     size bytes, filled up with zeros to a multiple of 512
//   end      two blocks of zeros; 15 and later send none
//
// Numbers are octal text, or base-256 where the first bit is set (sizes above 8 GiB). Types: '0'
// file, '5' directory, '2' symbolic link; 'L' and 'K' (GNU) and 'x' (pax) hold a long name or link
// of the entry that follows.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <string>

namespace walden::pg {

enum class TarEntryKind : std::uint8_t { file, directory, link };

struct TarEntry {
    std::string path{};  ///< relative, without "." and ".." parts and empty ones
    TarEntryKind kind = TarEntryKind::file;
    std::uint32_t mode = 0;  ///< the permission bits (07777)
    std::uint64_t size = 0;  ///< of a file
    std::int64_t modified = 0;
    std::string target{};  ///< of a link
};

/// Gets what is read, in the order of the archive.
class TarSink {
public:
    virtual ~TarSink() = default;

    virtual void on_entry(const TarEntry& entry) = 0;

    /// A piece of the file that was announced last; together they have its size.
    virtual void on_data(ByteView piece) = 0;

    /// The file that was announced last is complete; also called for an empty one.
    virtual void on_file_end() = 0;
};

/// One archive; one thread at a time. Keeps no more than one header and one long name of 4 KiB.
class TarReader {
public:
    /// `sink` must outlive the reader.
    explicit TarReader(TarSink& sink) : sink_(sink) {}

    /// The next bytes of the archive, cut anywhere. Throws Error(corrupt) for what is no archive,
    /// for names that lead out of it, and for types that no base backup holds; what the sink
    /// throws.
    void feed(ByteView bytes);

    /// The archive is over. Throws Error(corrupt) if that is in the middle of something.
    void finish();

private:
    enum class State : std::uint8_t { header, data, long_name, padding, end };

    void take_header();
    void begin_extension(char type, std::uint64_t size);
    void end_extension();
    void end_data();

    TarSink& sink_;
    State state_ = State::header;
    char extension_ = 0;         ///< the type of the long name that is being read
    std::uint64_t left_ = 0;     ///< bytes of data, long name or padding
    std::uint64_t padding_ = 0;  ///< zeros behind the data
    Bytes block_{};              ///< of a header, or a long name
    std::string long_path_{};
    std::string long_target_{};
    std::uint64_t long_size_ = 0;
    bool has_long_size_ = false;
};

}  // namespace walden::pg
