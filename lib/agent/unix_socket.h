// Unix stream sockets as the agent and its clients use them: never waiting without a deadline.
#pragma once

#include "agent/protocol.h"
#include "base/bytes.h"
#include "base/file.h"

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace walden::agent {

using Clock = std::chrono::steady_clock;

/// Listens at `path`, mode 0600; a socket file that is there is replaced, so the caller holds the
/// agent's lock. Any length of path works: where it does not fit into an address (107 bytes) it is
/// reached through /proc/self/fd. Throws Error(io).
[[nodiscard]] FileDescriptor listen_at(const std::string& path);

/// Connects at once or not at all. Invalid, with errno, if nobody listens there or the queue of
/// those who wait is full.
[[nodiscard]] FileDescriptor connect_to(const std::string& path);

/// Who is at the other end (SO_PEERCRED); nullopt if the kernel does not tell.
[[nodiscard]] std::optional<uid_t> peer_user(int fd);

/// False if the peer is gone or does not take it before the deadline. `passed_fd`, unless negative,
/// goes with the message: the peer gets a descriptor of its own for the same open file.
[[nodiscard]] bool send_message(int fd, ByteView message, Clock::time_point deadline,
                                int passed_fd = -1);

enum class Receipt : std::uint8_t {
    message,
    garbage,   ///< not our protocol, or cut short
    closed,    ///< before the first byte
    deadline,  ///< passed before the message was complete
};

struct Received {
    Receipt receipt = Receipt::closed;
    MessageHeader header;
    Bytes body;
    FileDescriptor file;  ///< that came with the message, if one did
};

/// Reads one message; nothing is allocated before its size is known to be bounded.
[[nodiscard]] Received receive_message(int fd, Clock::time_point deadline);

}  // namespace walden::agent
