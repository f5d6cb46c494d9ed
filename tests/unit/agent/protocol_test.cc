#include "agent/protocol.h"

#include "base/format.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::agent;

namespace {

MessageHeader header_of(const Bytes& message) {
    const auto header = decode_header(ByteView(message).first(message_header_size));
    REQUIRE(header);
    REQUIRE(message.size() == message_header_size + header->body_size);
    return *header;
}

ByteView body_of(const Bytes& message) {
    return ByteView(message).subspan(message_header_size);
}

Question sample_question() {
    return {
        .caller = {.version = "0.1.0", .configuration = 0x1122334455667788, .environment = 0x99},
        .type = MessageType::archive,
        .file_name = "000000010000000000000005",
        .file_version = {
            .file = {.device = 1, .inode = 2},
            .stamp = {
                .size = 16 << 20, .modified_seconds = -5, .modified_nanoseconds = 999'999'999}}};
}

}  // namespace

TEST_CASE("questions come back as they were asked", "[protocol]") {
    const Bytes message = encode_question(sample_question());
    const auto question = decode_question(header_of(message), body_of(message));
    REQUIRE(question);
    CHECK(question->caller.version == "0.1.0");
    CHECK(question->caller.configuration == 0x1122334455667788);
    CHECK(question->caller.environment == 0x99);
    CHECK(question->file_name == "000000010000000000000005");
    CHECK(question->file_version == sample_question().file_version);
    for (const MessageType type : {MessageType::flush, MessageType::status, MessageType::stop}) {
        const Bytes plain = encode_question({.caller = {.version = "1"}, .type = type});
        REQUIRE(decode_question(header_of(plain), body_of(plain)));
        CHECK(decode_question(header_of(plain), body_of(plain))->type == type);
    }
}

TEST_CASE("a question that is cut, longer, of another version or type is refused", "[protocol]") {
    const Bytes message = encode_question(sample_question());
    const MessageHeader header = header_of(message);
    for (std::size_t size = 0; size < header.body_size; ++size)
        CHECK_FALSE(decode_question(header, body_of(message).first(size)));
    Bytes longer = to_bytes(body_of(message));
    longer.push_back(std::byte{0});
    CHECK_FALSE(decode_question(header, longer));
    MessageHeader other = header;
    other.version = protocol_version + 1;
    CHECK_FALSE(decode_question(other, body_of(message)));
    other = header;
    for (const unsigned type : {0U, 5U, 16U, 17U, 22U, 65535U}) {
        other.type = static_cast<std::uint16_t>(type);
        CHECK_FALSE(decode_question(other, body_of(message)));
    }
}

TEST_CASE("a header announces at most 64 KiB and begins with the magic", "[protocol]") {
    Bytes message = encode_message(MessageType::working, {});
    CHECK(decode_header(message));
    store_le(message.data() + 12, static_cast<std::uint32_t>(message_body_size_max));
    CHECK(decode_header(message));
    store_le(message.data() + 12, static_cast<std::uint32_t>(message_body_size_max + 1));
    CHECK_FALSE(decode_header(message));
    message = encode_message(MessageType::working, {});
    message[3] = std::byte{'x'};
    CHECK_FALSE(decode_header(message));
    CHECK_FALSE(decode_header(ByteView(message).first(15)));
}

TEST_CASE("answers come back, errors with kind, detail and hint", "[protocol]") {
    const Bytes archived = encode_archived(
        {.outcome = archive::ArchiveOutcome::already_stored, .warnings = {"one", "two"}});
    CHECK(decode_archived(body_of(archived))->outcome == archive::ArchiveOutcome::already_stored);
    CHECK(decode_archived(body_of(archived))->warnings == std::vector<std::string>{"one", "two"});

    const Bytes failed = encode_failed(
        Error(ErrorKind::conflict, "message").with_detail("Detail.").with_hint("Hint."));
    const auto error = decode_failed(body_of(failed));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::conflict);
    CHECK(error->message() == "message");
    CHECK(error->detail() == "Detail.");
    CHECK(error->hint() == "Hint.");

    CHECK(decode_flushed(body_of(encode_flushed(12345))) == 12345);
    const Bytes declined = encode_declined({.reason = DeclineReason::version, .text = "why"});
    CHECK(decode_declined(body_of(declined))->reason == DeclineReason::version);
    CHECK(decode_declined(body_of(declined))->text == "why");
}

TEST_CASE("texts and lists of any length make a message that fits", "[protocol]") {
    const std::string text(200'000, 'x');
    const Bytes archived = encode_archived({.warnings = std::vector<std::string>(1000, text)});
    CHECK(decode_archived(body_of(archived)));
    const Bytes failed =
        encode_failed(Error(ErrorKind::io, text).with_detail(text).with_hint(text));
    CHECK(decode_failed(body_of(failed))->message().size() < text.size());
    CHECK(header_of(failed).body_size <= message_body_size_max);
}

TEST_CASE("a status comes back in every field", "[protocol]") {
    AgentStatus status;
    std::uint64_t next = 1;
    auto& archive = status.archive;
    for (std::uint64_t* number :
         {&status.pid, &status.started_at, &status.memory_resident, &archive.ready_count,
          &archive.ready_oldest_age, &archive.ahead_count, &archive.in_flight,
          &archive.memory_in_use, &archive.archived_count, &archive.present_count,
          &archive.failure_count, &archive.retry_count, &archive.plain_size, &archive.stored_size,
          &archive.fallback_count, &archive.recent_count, &archive.recent_plain_size,
          &archive.last_archived_at, &archive.last_failure_at})
        *number = next++;
    status.version = "0.1.0";
    archive.ready_growth = -7;
    archive.last_archived = "00000002.history";
    archive.last_failure = "no";
    status.declined_count = next++;
    status.last_declined = "because";
    for (const char* directory : {"/srv/one", "/srv/two"}) {
        RecoveryStatus recovery{.data_directory = directory, .prefetch = {}};
        recovery.prefetch.question_count = next++;
        recovery.prefetch.remaining_us = next++;
        recovery.prefetch.last_failure = directory;
        status.recoveries.push_back(recovery);
    }
    const Bytes message = encode_status(status);
    CHECK(decode_status(body_of(message)) == status);
    CHECK_FALSE(decode_status(body_of(message).first(header_of(message).body_size - 1)));
}
