// What is said over the agent's socket. One question per connection; the agent answers with any
// number of `working` and then one other message, and closes.
//
// All integers little endian, text is u16 n and n bytes.
//
//   MESSAGE  0  8  magic "WALDENAG"
//            8  2  protocol version = 3
//           10  2  type
//           12  4  size of the body, at most 64 KiB
//           16  .. body
//
// Magic, version, the place of the body's size and the beginning of a question's body stay as they
// are in all versions, and `declined`, `status` and `stop` keep their types, `declined` its body:
// so two versions can always tell each other that they do not fit.
//
//   Questions; each body begins with   text version | u64 configuration | u64 environment
//     1 archive  text name | u64 device | u64 inode | u64 size | u64 mtime s | u64 mtime ns
//     2 flush    (nothing)
//     3 status   (nothing)
//     4 stop     (nothing)
//     5 fetch    text name | text data directory of the server that asks, absolute |
//                u64 device | u64 inode of the pg_wal there
//   Answers
//    16 working    (nothing): the question is being worked on; comes every half second
//    17 archived   u8 outcome (0 stored, 1 was there) | u16 n | n times text warning
//    18 failed     u8 kind (ErrorKind) | text message | text detail | text hint
//    19 declined   u8 reason | text
//    20 flushed    u64 files that were waited for
//    21 status     see encode_status()
//    22 stopping   (nothing)
//    23 fetched    u8 origin (0 prefetched, 1 awaited, 2 fetched now) | u64 size | u64 mtime s |
//                  u64 mtime ns; with the message comes the descriptor of a file without a name
//                  (SCM_RIGHTS, unix(7)) that has this size and time, and is to be given its name
//    24 not there  (nothing): the store was asked and has no such file
//
// `version` is walden's, `configuration` XXH3-64 of the configuration file's bytes: whoever has
// another one than the agent is declined, and does the work himself. `environment` is XXH3-64 of
// the environment variables that keys and credentials come from, 0 for who has none or asks as a
// person: another one than the agent's is declined likewise.
#pragma once

#include "archive/look_ahead_answer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file_identity.h"
#include "recovery/prefetch_answer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::agent {

inline constexpr std::uint16_t protocol_version = 3;
inline constexpr std::size_t message_header_size = 16;
inline constexpr std::size_t message_body_size_max = std::size_t{64} << 10;

enum class MessageType : std::uint16_t {
    archive = 1,
    flush = 2,
    status = 3,
    stop = 4,
    fetch = 5,
    working = 16,
    archived = 17,
    failed = 18,
    declined = 19,
    flushed = 20,
    status_report = 21,
    stopping = 22,
    fetched = 23,
    not_there = 24,
};

struct MessageHeader {
    std::uint16_t version = protocol_version;
    std::uint16_t type = 0;  ///< maybe one that this version does not know
    std::uint32_t body_size = 0;
};

/// nullopt for bytes that are no header, or announce more than message_body_size_max.
[[nodiscard]] std::optional<MessageHeader> decode_header(ByteView bytes);

/// A whole message with a body of at most message_body_size_max bytes.
[[nodiscard]] Bytes encode_message(MessageType type, ByteView body);

/// Who asks.
struct Caller {
    std::string version;
    std::uint64_t configuration = 0;
    std::uint64_t environment = 0;  ///< 0: it does not matter
};

struct Question {
    Caller caller;
    MessageType type = MessageType::status;
    std::string file_name{};       ///< of archive and fetch: as in pg_wal
    FileVersion file_version{};    ///< of archive: which file that is
    std::string data_directory{};  ///< of fetch: the server's
    FileIdentity wal_directory{};  ///< of fetch: its pg_wal
};

/// The whole message.
[[nodiscard]] Bytes encode_question(const Question& question);

/// nullopt for anything but exactly a question of this protocol version.
[[nodiscard]] std::optional<Question> decode_question(const MessageHeader& header, ByteView body);

/// Of a question of any protocol version: the asker's.
[[nodiscard]] std::optional<std::string> decode_caller_version(ByteView body);

/// Long texts and long lists are cut: they are for people.
[[nodiscard]] Bytes encode_archived(const archive::Archived& archived);
[[nodiscard]] std::optional<archive::Archived> decode_archived(ByteView body);

[[nodiscard]] Bytes encode_failed(const Error& error);
[[nodiscard]] std::optional<Error> decode_failed(ByteView body);

enum class DeclineReason : std::uint8_t {
    protocol = 0,       ///< not understood, or a question of another protocol version
    version = 1,        ///< another walden; the agent leaves as soon as it is idle
    configuration = 2,  ///< started with another configuration; leaves likewise
    file = 3,           ///< not the file that the agent sees under that name
    user = 4,           ///< neither the agent's user nor root
    leaving = 5,
    environment = 6,  ///< started with other keys or credentials in its environment; leaves
};

struct Declined {
    DeclineReason reason = DeclineReason::protocol;
    std::string text;
};

[[nodiscard]] Bytes encode_declined(const Declined& declined);
[[nodiscard]] std::optional<Declined> decode_declined(ByteView body);

[[nodiscard]] Bytes encode_flushed(std::uint64_t count);
[[nodiscard]] std::optional<std::uint64_t> decode_flushed(ByteView body);

[[nodiscard]] Bytes encode_fetched(const recovery::Delivery& delivery);

struct Fetched {
    recovery::Origin origin = recovery::Origin::fetched;
    FileStamp stamp;
};

[[nodiscard]] std::optional<Fetched> decode_fetched(ByteView body);

/// Of one server.
struct RecoveryStatus {
    std::string data_directory;
    recovery::PrefetchStatus prefetch;

    friend bool operator==(const RecoveryStatus&, const RecoveryStatus&) = default;
};

/// What `walden status` shows. Times are Unix seconds; sizes bytes.
struct AgentStatus {
    std::string version;
    std::uint64_t pid = 0;
    std::uint64_t started_at = 0;
    std::uint64_t memory_resident = 0;  ///< of the process
    std::uint64_t declined_count = 0;   ///< questions that others had to answer
    std::string last_declined;          ///< why; empty if there was none
    archive::LookAheadStatus archive;
    std::vector<RecoveryStatus> recoveries;  ///< the one that asked last first

    /// That one; all zero before the first question of a server.
    [[nodiscard]] recovery::PrefetchStatus recovery() const {
        return recoveries.empty() ? recovery::PrefetchStatus{} : recoveries.front().prefetch;
    }

    friend bool operator==(const AgentStatus&, const AgentStatus&) = default;
};

[[nodiscard]] Bytes encode_status(const AgentStatus& status);
[[nodiscard]] std::optional<AgentStatus> decode_status(ByteView body);

}  // namespace walden::agent
