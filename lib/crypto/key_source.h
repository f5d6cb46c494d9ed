// Where the unlock secret comes from.
//
// Key text (UnlockSecret::from_key_text) and passphrases are at most 4 KiB. No message contains
// any of them, nor what a command printed.
#pragma once

#include "crypto/unlock_secret.h"

#include <chrono>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace walden::crypto {

/// A file with key text. It must be an ordinary file that belongs to the caller or to root and
/// that neither group nor others can read or write: else Error(denied). Symbolic links are
/// followed, since whoever could plant one could plant another path in the configuration.
struct KeyFile {
    std::string path;
};

/// An environment variable with key text. Weaker than a file: /proc/<pid>/environ shows it.
/// Ignored, as if not set, in a program that runs with raised privileges (secure_getenv).
struct KeyEnvironment {
    std::string variable;
};

/// A program that prints key text, such as a client of a key management service. It is looked up
/// in PATH and run without a shell, with an empty stdin, our stderr, no other descriptor, default
/// signals and a process group of its own, which is killed when `timeout` has passed.
struct KeyCommand {
    std::vector<std::string> argv;
    std::chrono::milliseconds timeout = std::chrono::seconds(10);
};

/// A file whose first line is a passphrase. Same permissions as KeyFile.
struct PassphraseFile {
    std::string path;
};

/// UnlockSecret: one that is there already, such as a passphrase typed at a terminal.
using KeySource = std::variant<KeyFile, KeyEnvironment, KeyCommand, PassphraseFile, UnlockSecret>;

/// Throws Error: not_found (no such file), usage (text that is no key, variable not set, command
/// not found), denied (permissions of the file, a command that failed), unavailable (a command
/// that timed out), io. Blocks for at most the time-out of a command, besides the kernel's time.
/// Safe to call from several threads, unless one changes the environment.
[[nodiscard]] UnlockSecret load_unlock_secret(const KeySource& source);

/// Creates a key file, mode 0600, durably: the file and its name are synced before the return. A
/// file of that name is never replaced: Error(conflict). `secret` is a random key. Each comment
/// becomes a line "# ..."; one with control characters is Error(usage).
void write_key_file(const std::string& path, const UnlockSecret& secret,
                    std::span<const std::string> comments);

/// What the command printed; see KeyCommand. The caller zeroes the result.
[[nodiscard]] Bytes run_key_command(const KeyCommand& command);

inline constexpr std::size_t key_text_size_max = 4096;

}  // namespace walden::crypto
