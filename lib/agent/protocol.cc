#include "agent/protocol.h"

#include <algorithm>
#include <cassert>

namespace walden::agent {

namespace {

constexpr std::string_view magic = "WALDENAG";
constexpr std::size_t text_size_max = 4096;
constexpr std::size_t warning_count_max = 8;
constexpr std::size_t short_text_size_max = 1024;
constexpr std::size_t recovery_count_max = 8;

void write_cut(ByteWriter& writer, std::string_view text) {
    writer.write_text(text.substr(0, text_size_max));
}

/// nullopt unless everything was there and nothing is left.
template <class Value>
std::optional<Value> exactly(const ByteReader& reader, Value value) {
    if (!reader.ok() || reader.remaining() != 0) return std::nullopt;
    return value;
}

bool is_question(std::uint16_t type) {
    return type >= static_cast<std::uint16_t>(MessageType::archive) &&
           type <= static_cast<std::uint16_t>(MessageType::fetch);
}

/// The numbers of a status in the order of the message.
template <class Status, class Visit>
void for_each_number(Status& status, const Visit& visit) {
    auto& archive = status.archive;
    for (auto* number :
         {&status.pid, &status.started_at, &archive.ready_count, &archive.ready_oldest_age,
          &archive.ahead_count, &archive.in_flight, &archive.memory_in_use, &status.memory_resident,
          &archive.archived_count, &archive.present_count, &archive.failure_count,
          &archive.retry_count, &archive.plain_size, &archive.stored_size, &archive.fallback_count,
          &archive.recent_count, &archive.recent_plain_size, &archive.last_archived_at,
          &archive.last_failure_at})
        visit(*number);
    visit(status.declined_count);
}

/// Of one recovery.
template <class Status, class Visit>
void for_each_number_of_recovery(Status& recovery, const Visit& visit) {
    for (auto* number : {&recovery.question_count, &recovery.prefetched_count,
                         &recovery.awaited_count, &recovery.fetched_count, &recovery.absent_count,
                         &recovery.failure_count, &recovery.discarded_count, &recovery.waited_us,
                         &recovery.ready_count, &recovery.ready_size, &recovery.in_flight,
                         &recovery.memory_in_use, &recovery.depth, &recovery.replay_us,
                         &recovery.fetch_us, &recovery.remaining_count, &recovery.remaining_us})
        visit(*number);
}

/// Its texts likewise.
template <class Status, class Visit>
void for_each_text(Status& status, const Visit& visit) {
    for (auto* text : {&status.archive.last_archived, &status.archive.last_fallback,
                       &status.archive.last_failure, &status.last_declined})
        visit(*text);
}

template <class Status, class Visit>
void for_each_text_of_recovery(Status& recovery, const Visit& visit) {
    for (auto* text : {&recovery.last_delivered, &recovery.last_in_archive, &recovery.last_failure})
        visit(*text);
}

void write_recovery(ByteWriter& writer, const RecoveryStatus& recovery) {
    const auto write_short = [&](std::string_view text) {
        writer.write_text(text.substr(0, short_text_size_max));
    };
    write_short(recovery.data_directory);
    for_each_number_of_recovery(recovery.prefetch,
                                [&](std::uint64_t number) { writer.write(number); });
    for_each_text_of_recovery(recovery.prefetch, write_short);
}

RecoveryStatus read_recovery(ByteReader& reader) {
    RecoveryStatus recovery;
    recovery.data_directory = reader.read_text();
    for_each_number_of_recovery(
        recovery.prefetch, [&](std::uint64_t& number) { number = reader.read<std::uint64_t>(); });
    for_each_text_of_recovery(recovery.prefetch,
                              [&](std::string& text) { text = reader.read_text(); });
    return recovery;
}

}  // namespace

std::optional<MessageHeader> decode_header(ByteView bytes) {
    ByteReader reader(bytes);
    if (as_text(reader.read_bytes(magic.size())) != magic) return std::nullopt;
    MessageHeader header;
    header.version = reader.read<std::uint16_t>();
    header.type = reader.read<std::uint16_t>();
    header.body_size = reader.read<std::uint32_t>();
    if (header.body_size > message_body_size_max) return std::nullopt;
    return exactly(reader, header);
}

Bytes encode_message(MessageType type, ByteView body) {
    assert(body.size() <= message_body_size_max);
    Bytes message;
    ByteWriter writer(message);
    writer.write_bytes(as_bytes(magic));
    writer.write(protocol_version);
    writer.write(static_cast<std::uint16_t>(type));
    writer.write(static_cast<std::uint32_t>(body.size()));
    writer.write_bytes(body);
    return message;
}

Bytes encode_question(const Question& question) {
    Bytes body;
    ByteWriter writer(body);
    write_cut(writer, question.caller.version);
    writer.write(question.caller.configuration);
    writer.write(question.caller.environment);
    if (question.type == MessageType::archive) {
        write_cut(writer, question.file_name);
        writer.write(question.file_version.file.device);
        writer.write(question.file_version.file.inode);
        writer.write(question.file_version.stamp.size);
        writer.write(static_cast<std::uint64_t>(question.file_version.stamp.modified_seconds));
        writer.write(static_cast<std::uint64_t>(question.file_version.stamp.modified_nanoseconds));
    }
    if (question.type == MessageType::fetch) {
        write_cut(writer, question.file_name);
        write_cut(writer, question.data_directory);
        writer.write(question.wal_directory.device);
        writer.write(question.wal_directory.inode);
    }
    return encode_message(question.type, body);
}

std::optional<Question> decode_question(const MessageHeader& header, ByteView body) {
    if (header.version != protocol_version || !is_question(header.type)) return std::nullopt;
    ByteReader reader(body);
    Question question;
    question.type = static_cast<MessageType>(header.type);
    question.caller.version = reader.read_text();
    question.caller.configuration = reader.read<std::uint64_t>();
    question.caller.environment = reader.read<std::uint64_t>();
    if (question.type == MessageType::archive) {
        question.file_name = reader.read_text();
        question.file_version.file.device = reader.read<std::uint64_t>();
        question.file_version.file.inode = reader.read<std::uint64_t>();
        question.file_version.stamp.size = reader.read<std::uint64_t>();
        question.file_version.stamp.modified_seconds =
            static_cast<std::int64_t>(reader.read<std::uint64_t>());
        question.file_version.stamp.modified_nanoseconds =
            static_cast<std::int64_t>(reader.read<std::uint64_t>());
    }
    if (question.type == MessageType::fetch) {
        question.file_name = reader.read_text();
        question.data_directory = reader.read_text();
        question.wal_directory.device = reader.read<std::uint64_t>();
        question.wal_directory.inode = reader.read<std::uint64_t>();
    }
    return exactly(reader, std::move(question));
}

std::optional<std::string> decode_caller_version(ByteView body) {
    ByteReader reader(body);
    std::string version = reader.read_text();
    if (!reader.ok()) return std::nullopt;
    return version;
}

Bytes encode_archived(const archive::Archived& archived) {
    Bytes body;
    ByteWriter writer(body);
    writer.write(static_cast<std::uint8_t>(archived.outcome));
    const std::size_t count = std::min(archived.warnings.size(), warning_count_max);
    writer.write(static_cast<std::uint16_t>(count));
    for (std::size_t i = 0; i < count; ++i) write_cut(writer, archived.warnings[i]);
    return encode_message(MessageType::archived, body);
}

std::optional<archive::Archived> decode_archived(ByteView body) {
    ByteReader reader(body);
    archive::Archived archived;
    const auto outcome = reader.read<std::uint8_t>();
    if (outcome > static_cast<std::uint8_t>(archive::ArchiveOutcome::already_stored))
        return std::nullopt;
    archived.outcome = static_cast<archive::ArchiveOutcome>(outcome);
    const auto count = reader.read<std::uint16_t>();
    if (count > warning_count_max) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) archived.warnings.push_back(reader.read_text());
    return exactly(reader, std::move(archived));
}

Bytes encode_failed(const Error& error) {
    Bytes body;
    ByteWriter writer(body);
    writer.write(static_cast<std::uint8_t>(error.kind()));
    write_cut(writer, error.message());
    write_cut(writer, error.detail());
    write_cut(writer, error.hint());
    return encode_message(MessageType::failed, body);
}

std::optional<Error> decode_failed(ByteView body) {
    ByteReader reader(body);
    const auto kind = reader.read<std::uint8_t>();
    if (kind > static_cast<std::uint8_t>(ErrorKind::canceled)) return std::nullopt;
    std::string message = reader.read_text();
    std::string detail = reader.read_text();
    std::string hint = reader.read_text();
    return exactly(reader, Error(Error(static_cast<ErrorKind>(kind), std::move(message))
                                     .with_detail(std::move(detail))
                                     .with_hint(std::move(hint))));
}

Bytes encode_declined(const Declined& declined) {
    Bytes body;
    ByteWriter writer(body);
    writer.write(static_cast<std::uint8_t>(declined.reason));
    write_cut(writer, declined.text);
    return encode_message(MessageType::declined, body);
}

std::optional<Declined> decode_declined(ByteView body) {
    ByteReader reader(body);
    Declined declined;
    // A later version may know more reasons: all of them mean the same to the caller.
    declined.reason = static_cast<DeclineReason>(std::min(
        reader.read<std::uint8_t>(), static_cast<std::uint8_t>(DeclineReason::environment)));
    declined.text = reader.read_text();
    return exactly(reader, std::move(declined));
}

Bytes encode_flushed(std::uint64_t count) {
    Bytes body;
    ByteWriter(body).write(count);
    return encode_message(MessageType::flushed, body);
}

std::optional<std::uint64_t> decode_flushed(ByteView body) {
    ByteReader reader(body);
    const auto count = reader.read<std::uint64_t>();
    return exactly(reader, count);
}

Bytes encode_fetched(const recovery::Delivery& delivery) {
    const FileStamp& stamp = delivery.file->stamp();
    Bytes body;
    ByteWriter writer(body);
    writer.write(static_cast<std::uint8_t>(delivery.origin));
    writer.write(stamp.size);
    writer.write(static_cast<std::uint64_t>(stamp.modified_seconds));
    writer.write(static_cast<std::uint64_t>(stamp.modified_nanoseconds));
    return encode_message(MessageType::fetched, body);
}

std::optional<Fetched> decode_fetched(ByteView body) {
    ByteReader reader(body);
    Fetched fetched;
    const auto origin = reader.read<std::uint8_t>();
    if (origin > static_cast<std::uint8_t>(recovery::Origin::fetched)) return std::nullopt;
    fetched.origin = static_cast<recovery::Origin>(origin);
    fetched.stamp.size = reader.read<std::uint64_t>();
    fetched.stamp.modified_seconds = static_cast<std::int64_t>(reader.read<std::uint64_t>());
    fetched.stamp.modified_nanoseconds = static_cast<std::int64_t>(reader.read<std::uint64_t>());
    return exactly(reader, fetched);
}

Bytes encode_status(const AgentStatus& status) {
    Bytes body;
    ByteWriter writer(body);
    write_cut(writer, status.version);
    for_each_number(status, [&](std::uint64_t number) { writer.write(number); });
    writer.write(static_cast<std::uint64_t>(status.archive.ready_growth));
    for_each_text(status, [&](const std::string& text) { write_cut(writer, text); });
    const std::size_t count = std::min(status.recoveries.size(), recovery_count_max);
    writer.write(static_cast<std::uint16_t>(count));
    for (std::size_t i = 0; i < count; ++i) write_recovery(writer, status.recoveries[i]);
    return encode_message(MessageType::status_report, body);
}

std::optional<AgentStatus> decode_status(ByteView body) {
    ByteReader reader(body);
    AgentStatus status;
    status.version = reader.read_text();
    for_each_number(status, [&](std::uint64_t& number) { number = reader.read<std::uint64_t>(); });
    status.archive.ready_growth = static_cast<std::int64_t>(reader.read<std::uint64_t>());
    for_each_text(status, [&](std::string& text) { text = reader.read_text(); });
    const auto count = reader.read<std::uint16_t>();
    if (count > recovery_count_max) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) status.recoveries.push_back(read_recovery(reader));
    return exactly(reader, std::move(status));
}

}  // namespace walden::agent
