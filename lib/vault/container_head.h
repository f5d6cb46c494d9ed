// The parts of a container that its writers and readers share (FORMAT.md, section 3).
//
// Internal to container.cc and container_steps.cc: everybody else uses their headers.
#pragma once

#include "crypto/frame_cipher.h"
#include "vault/container.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace walden::vault::container {

inline constexpr std::size_t header_size = 128;
inline constexpr std::size_t authenticated_header_size = 124;
inline constexpr std::size_t frame_size = std::size_t{1} << 18;
inline constexpr std::size_t sealed_frame_size = frame_size + crypto::tag_size;
inline constexpr std::size_t footer_size = 64;
inline constexpr std::size_t trailer_size = 48;
/// Footer frame and trailer: what follows the data frames.
inline constexpr std::size_t tail_size = footer_size + crypto::tag_size + trailer_size;

enum class KeyMethod : std::uint8_t { none = 0, sealed = 1, derived = 2 };

[[nodiscard]] KeyMethod key_method_of(crypto::Suite suite, ObjectKind kind);
[[nodiscard]] std::size_t record_size_of(KeyMethod method);
[[nodiscard]] std::uint32_t frame_count_of(std::uint64_t encoded_size);
[[nodiscard]] std::uint64_t object_size_of(std::uint64_t head_size, std::uint64_t encoded_size);

/// Where the object of `place` begins its frames in a repository with these keys.
[[nodiscard]] std::size_t head_size_of(const ClusterKeyring& keys, ObjectKind kind);

struct Header {
    ContainerHeader clear;  ///< sizes of the object only once its trailer was read
    KeyMethod method = KeyMethod::none;
    crypto::RepositoryId repository{};
    std::array<std::byte, 16> name{};
    std::array<std::byte, 32> commitment{};
};

/// Writes header and key record to the empty `out`; the result seals the frames.
[[nodiscard]] crypto::FrameCipher write_head(const ClusterKeyring& keys, ObjectPlace place,
                                             Bytes& out);

/// What the footer tells beside the sizes of the frames.
struct Ending {
    codec::CodecId codec = codec::CodecId::none;
    std::uint64_t plain_size = 0;
    std::uint64_t encoded_size = 0;
    crypto::ContentId content_id;
};

/// Appends the footer frame and the trailer to `out`, which holds all the rest.
void write_tail(const Ending& ending, crypto::FrameCipher& cipher, Bytes& out);

/// Throws Error(corrupt), Error(usage) for a newer version. `head` has header_size bytes at least.
[[nodiscard]] Header parse_header(ByteView head);

/// Reads the trailer of a whole object into `clear`, and checks the object's size and checksum.
void parse_trailer(ByteView object, ContainerHeader& clear);

/// Throws Error(corrupt | foreign) unless the header says to be `place` of this repository.
void require_place(const Header& header, const crypto::RepositoryId& repository, ObjectPlace place);

/// What opens the frames of an object that begins with `head`, which holds the key record. Throws
/// Error(corrupt | usage) as unseal_object() does.
[[nodiscard]] crypto::FrameCipher open_head(const ClusterKeyring& keys, const Header& header,
                                            ByteView head);

[[noreturn]] void fail_corrupt(std::string what);

}  // namespace walden::vault::container
