#include "agent/protocol.h"

#include <algorithm>
#include <cassert>

namespace walden::agent {

namespace {

constexpr std::string_view magic = "WALDENAG";
constexpr std::size_t text_size_max = 4096;
constexpr std::size_t warning_count_max = 8;

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
           type <= static_cast<std::uint16_t>(MessageType::stop);
}

/// The numbers of a status in the order of the message.
template <class Status, class Visit>
void for_each_number(Status& status, const Visit& visit) {
    for (auto* number :
         {&status.pid, &status.started_at, &status.ready_count, &status.ready_oldest_age,
          &status.ahead_count, &status.in_flight, &status.memory_in_use, &status.memory_resident,
          &status.archived_count, &status.present_count, &status.failure_count, &status.retry_count,
          &status.plain_size, &status.stored_size, &status.fallback_count, &status.recent_count, &status.recent_plain_size,
          &status.last_archived_at, &status.last_failure_at})
        visit(*number);
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
    if (question.type == MessageType::archive) {
        write_cut(writer, question.file_name);
        writer.write(question.identity.device);
        writer.write(question.identity.inode);
        writer.write(question.identity.size);
        writer.write(static_cast<std::uint64_t>(question.identity.modified_seconds));
        writer.write(static_cast<std::uint64_t>(question.identity.modified_nanoseconds));
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
    if (question.type == MessageType::archive) {
        question.file_name = reader.read_text();
        question.identity.device = reader.read<std::uint64_t>();
        question.identity.inode = reader.read<std::uint64_t>();
        question.identity.size = reader.read<std::uint64_t>();
        question.identity.modified_seconds =
            static_cast<std::int64_t>(reader.read<std::uint64_t>());
        question.identity.modified_nanoseconds =
            static_cast<std::int64_t>(reader.read<std::uint64_t>());
    }
    return exactly(reader, std::move(question));
}

Bytes encode_archived(const Archived& archived) {
    Bytes body;
    ByteWriter writer(body);
    writer.write(static_cast<std::uint8_t>(archived.outcome));
    const std::size_t count = std::min(archived.warnings.size(), warning_count_max);
    writer.write(static_cast<std::uint16_t>(count));
    for (std::size_t i = 0; i < count; ++i) write_cut(writer, archived.warnings[i]);
    return encode_message(MessageType::archived, body);
}

std::optional<Archived> decode_archived(ByteView body) {
    ByteReader reader(body);
    Archived archived;
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
    declined.reason = static_cast<DeclineReason>(
        std::min(reader.read<std::uint8_t>(), static_cast<std::uint8_t>(DeclineReason::leaving)));
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

Bytes encode_status(const AgentStatus& status) {
    Bytes body;
    ByteWriter writer(body);
    write_cut(writer, status.version);
    for_each_number(status, [&](std::uint64_t number) { writer.write(number); });
    writer.write(static_cast<std::uint64_t>(status.ready_growth));
    write_cut(writer, status.last_archived);
    write_cut(writer, status.last_fallback);
    write_cut(writer, status.last_failure);
    return encode_message(MessageType::status_report, body);
}

std::optional<AgentStatus> decode_status(ByteView body) {
    ByteReader reader(body);
    AgentStatus status;
    status.version = reader.read_text();
    for_each_number(status, [&](std::uint64_t& number) { number = reader.read<std::uint64_t>(); });
    status.ready_growth = static_cast<std::int64_t>(reader.read<std::uint64_t>());
    status.last_archived = reader.read_text();
    status.last_fallback = reader.read_text();
    status.last_failure = reader.read_text();
    return exactly(reader, std::move(status));
}

}  // namespace walden::agent
