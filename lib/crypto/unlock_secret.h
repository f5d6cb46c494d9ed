// The secret that opens a key slot: a random key, kept in a file or handed out by a command, or a
// passphrase.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/kdf.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace walden::crypto {

using SlotId = std::array<std::byte, 16>;

enum class SlotSource : std::uint8_t { random_key = 1, passphrase = 2 };

/// A random key knows its slot; a passphrase tries them.
class UnlockSecret {
public:
    /// A fresh random key for a fresh slot.
    [[nodiscard]] static UnlockSecret make_random_key();

    /// Throws Error(usage) for an empty one. Zeroes its copy of the argument.
    [[nodiscard]] static UnlockSecret from_passphrase(std::string passphrase);

    /// The text of a key file, environment variable or command output: comment lines (#), blank
    /// lines and one line WALDEN-KEY-1-<slot id, 32 hex>-<key, 64 hex>-<CRC-32C, 8 hex>, any case.
    /// The CRC is of the 48 bytes before it. Throws Error(usage) that says what is wrong on which
    /// line (no key line, a typing mistake) and shows none of it.
    [[nodiscard]] static UnlockSecret from_key_text(std::string_view text);

    UnlockSecret(const UnlockSecret&) = default;
    UnlockSecret(UnlockSecret&&) noexcept = default;
    UnlockSecret& operator=(UnlockSecret other) noexcept;
    ~UnlockSecret();

    /// The key line of a random key, with a newline. The caller zeroes it.
    [[nodiscard]] Bytes to_key_text() const;

    [[nodiscard]] SlotSource source() const { return source_; }

    /// Of a random key only.
    [[nodiscard]] const SlotId& slot_id() const { return slot_id_; }

    /// The 32-byte unlock key for a slot with these parameters (scrypt takes about 0.4 s and 128
    /// MiB for a passphrase). A random key ignores them.
    [[nodiscard]] Secret<32> unlock_key(const ScryptCost& cost, ByteView salt) const;

private:
    UnlockSecret() = default;

    SlotSource source_ = SlotSource::random_key;
    SlotId slot_id_{};
    Secret<32> key_;
    Bytes passphrase_;  // not a string: moving a short one would leave its bytes behind
};

}  // namespace walden::crypto
