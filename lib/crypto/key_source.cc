#include "crypto/key_source.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "crypto/label.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace walden::crypto {

namespace {

/// Checks the opened file, not its path, so that nothing can be exchanged in between.
void require_private(const struct stat& status, const std::string& path) {
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorKind::denied, format("\"{}\" is not an ordinary file", path));
    if (status.st_uid != ::geteuid() && status.st_uid != 0)
        throw Error(ErrorKind::denied, format("\"{}\" belongs to user {}, not to user {} or root",
                                              path, status.st_uid, ::geteuid()));
    if ((status.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)) != 0)
        throw Error(ErrorKind::denied, format("\"{}\" has mode {:04o}: group or others have access",
                                              path, status.st_mode & 07777U))
            .with_hint(format("Run: chmod 600 \"{}\"", path));
}

/// The caller zeroes the result.
Bytes read_private_file(const std::string& path) {
    // O_NONBLOCK: a FIFO in its place must not hang us.
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd.valid()) {
        const int error_number = errno;
        const ErrorKind kind = error_number == ENOENT   ? ErrorKind::not_found
                               : error_number == EACCES ? ErrorKind::denied
                                                        : ErrorKind::io;
        throw system_error(kind, format("open \"{}\"", path), error_number);
    }

    struct stat status {};

    if (::fstat(fd.get(), &status) != 0)
        throw system_error(ErrorKind::io, format("stat \"{}\"", path), errno);
    require_private(status, path);
    Bytes text = read_range(fd.get(), 0, key_text_size_max + 1, path);
    if (text.size() <= key_text_size_max) return text;
    secure_zero(text.data(), text.size());
    throw Error(ErrorKind::usage, format("\"{}\" has more than {} bytes", path, key_text_size_max));
}

UnlockSecret load(const KeyFile& source) {
    return in_context([&] { return format("key file \"{}\"", source.path); },
                      [&] {
                          Bytes text = read_private_file(source.path);
                          const ZeroOnExit zero(text);
                          return UnlockSecret::from_key_text(as_text(text));
                      });
}

UnlockSecret load(const KeyEnvironment& source) {
    const char* const text = ::secure_getenv(source.variable.c_str());
    if (text == nullptr)
        throw Error(ErrorKind::usage,
                    format("environment variable {} is not set", source.variable));
    return in_context([&] { return format("environment variable {}", source.variable); },
                      [&] { return UnlockSecret::from_key_text(text); });
}

UnlockSecret load(const KeyCommand& source) {
    Bytes text = run_key_command(source);
    const ZeroOnExit zero(text);
    return in_context([&] { return format("output of key command \"{}\"", source.argv.front()); },
                      [&] { return UnlockSecret::from_key_text(as_text(text)); });
}

UnlockSecret load(const PassphraseFile& source) {
    return in_context([&] { return format("passphrase file \"{}\"", source.path); },
                      [&] {
                          Bytes text = read_private_file(source.path);
                          const ZeroOnExit zero(text);
                          std::string_view line = as_text(text);
                          line = line.substr(0, line.find('\n'));
                          if (line.ends_with('\r')) line.remove_suffix(1);
                          return UnlockSecret::from_passphrase(std::string(line));
                      });
}

UnlockSecret load(const UnlockSecret& source) {
    return source;
}

}  // namespace

UnlockSecret load_unlock_secret(const KeySource& source) {
    return std::visit([](const auto& kind) { return load(kind); }, source);
}

void write_key_file(const std::string& path, const UnlockSecret& secret,
                    std::span<const std::string> comments) {
    std::string head;
    for (const std::string& comment : comments) {
        if (!is_label(comment))
            throw Error(ErrorKind::usage,
                        "a comment in a key file must be one line of at most 255 bytes");
        head += format("# {}\n", comment);
    }
    if (head.size() + 256 > key_text_size_max)
        throw Error(ErrorKind::usage, "the comments do not fit into a key file");
    Bytes key_line = secret.to_key_text();
    const ZeroOnExit zero(key_line);
    NewFile file(path, S_IRUSR | S_IWUSR);
    file.write(as_bytes(head));
    file.write(key_line);
    file.sync();
    if (!file.commit_new())
        throw Error(ErrorKind::conflict, format("key file \"{}\" exists already", path))
            .with_hint("A key file is never replaced: whatever it opens could be lost.");
    sync_directory(parent_directory(path));
}

}  // namespace walden::crypto
