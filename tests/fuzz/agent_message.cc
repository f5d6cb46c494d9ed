// Property: whatever the bytes, decoding a message of the agent's protocol ends in a value or in
// nothing, takes memory in proportion to the input, and what was decoded encodes to the same
// meaning.
#include "agent/protocol.h"
#include "property.h"

#include <cstddef>
#include <cstdint>

using namespace walden;
using namespace walden::agent;

namespace {

ByteView body_of(const Bytes& message) {
    return ByteView(message).subspan(message_header_size);
}

void try_question(const MessageHeader& header, ByteView body) {
    const auto question = decode_question(header, body);
    if (!question) return;
    const Bytes again = encode_question(*question);
    const auto same =
        decode_question(*decode_header(ByteView(again).first(message_header_size)), body_of(again));
    require_property(same.has_value(), "a question survives encoding");
    require_property(same->file_version == question->file_version && same->type == question->type,
                     "a question keeps its meaning");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = std::as_bytes(std::span(data, size));
    const std::size_t head_size = std::min(size, message_header_size);
    if (const auto header = decode_header(input.first(head_size))) {
        require_property(header->body_size <= message_body_size_max, "a body is bounded");
        try_question(*header, input.subspan(head_size));
    }
    const ByteView body = input.subspan(head_size);
    if (const auto status = decode_status(body))
        require_property(status->version.size() <= body.size(), "texts come from the input");
    if (const auto archived = decode_archived(body))
        require_property(decode_archived(body_of(encode_archived(*archived))).has_value(),
                         "an answer survives encoding");
    static_cast<void>(decode_failed(body));
    static_cast<void>(decode_declined(body));
    static_cast<void>(decode_flushed(body));
    return 0;
}
