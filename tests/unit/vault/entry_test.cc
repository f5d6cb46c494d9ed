#include "vault/entry.h"

#include "support/errors.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::vault;

namespace {

crypto::ContentId id_of(unsigned n) {
    crypto::ContentId id;
    id.bytes.fill(static_cast<std::byte>(n));
    return id;
}

Bytes filled(std::size_t size, unsigned n) {
    return Bytes(size, static_cast<std::byte>(n));
}

Entry sample() {
    Entry entry;
    entry.kind = FileKind::history;
    entry.file_name = "00000002.history";
    entry.system_identifier = 7301234567890123456;
    entry.plain_size = 43;
    entry.content_id = id_of(1);
    entry.pieces = {{.content_id = id_of(1),
                     .plain_size = 43,
                     .stored_size = 300,
                     .codec = codec::CodecId::lz4}};
    entry.inlined = filled(300, 9);
    entry.predecessor =
        Predecessor{.file_name = "000000010000000000000006", .content_id = id_of(2)};
    entry.writer.instance.fill(std::byte{3});
    entry.writer.time = -1;
    entry.writer.host = "db1";
    entry.writer.version = "0.1.0";
    entry.facts = filled(20, 4);
    entry.block_references = filled(30, 5);
    return entry;
}

/// A field as it lies in an encoded entry.
struct Field {
    std::uint16_t tag = 0;
    Bytes body;
};

std::vector<Field> split(ByteView bytes) {
    ByteReader reader(bytes);
    CHECK(reader.read<std::uint16_t>() == 1);
    std::vector<Field> fields;
    while (reader.remaining() > 0) {
        const auto tag = reader.read<std::uint16_t>();
        const auto size = reader.read<std::uint32_t>();
        fields.push_back({tag, to_bytes(reader.read_bytes(size))});
    }
    REQUIRE(reader.ok());
    return fields;
}

Bytes join(const std::vector<Field>& fields) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.write(std::uint16_t{1});
    for (const Field& field : fields) {
        writer.write(field.tag);
        writer.write(static_cast<std::uint32_t>(field.body.size()));
        writer.write_bytes(field.body);
    }
    return bytes;
}

std::optional<ErrorKind> failure_of(ByteView bytes) {
    return kind_of([&] { static_cast<void>(decode_entry(bytes)); });
}

std::optional<ErrorKind> failure_of(const Entry& entry) {
    return failure_of(encode_entry(entry));
}

}  // namespace

TEST_CASE("an entry comes back with every field", "[vault][entry]") {
    CHECK(decode_entry(encode_entry(sample())) == sample());
    Entry bare;
    bare.file_name = "000000010000000000000001";
    bare.pieces = {{}};
    CHECK(decode_entry(encode_entry(bare)) == bare);
    Entry large = sample();
    large.inlined.clear();
    large.pieces.clear();
    for (unsigned i = 0; i < 32; ++i)
        large.pieces.push_back({.content_id = id_of(i),
                                .plain_size = piece_size_max,
                                .stored_size = i,
                                .codec = codec::CodecId::zstd});
    large.plain_size = file_size_max;
    CHECK(decode_entry(encode_entry(large)) == large);
    CHECK(large.stored_size() == 31 * 16);
}

TEST_CASE("an entry tells why a piece is not in the form that was asked for", "[vault][entry]") {
    Entry entry = sample();
    CHECK(entry.plain_reason() == codec::PlainReason::none);
    CHECK(split(encode_entry(entry)).size() == 11);  // as before there were reasons
    entry.inlined.clear();
    entry.pieces = {
        {.content_id = id_of(1), .plain_size = 40},
        {.content_id = id_of(2), .plain_size = 3, .plain_reason = codec::PlainReason::record_crc}};
    CHECK(decode_entry(encode_entry(entry)) == entry);
    CHECK(entry.plain_reason() == codec::PlainReason::record_crc);
    std::vector<Field> fields = split(encode_entry(entry));
    Field& reasons = fields[fields.size() - 2];
    REQUIRE(reasons.tag == 11);
    CHECK(reasons.body.size() == 2);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) {
        reasons.body = filled(size, 6);
        CHECK(failure_of(join(fields)) == ErrorKind::corrupt);
    }
    // Of a later version: nothing depends on it.
    reasons.body = filled(2, 200);
    CHECK(to_string(decode_entry(join(fields)).plain_reason()) == "unknown");
}

TEST_CASE("every truncation of an entry is refused", "[vault][entry]") {
    const Bytes bytes = encode_entry(sample());
    const Entry whole = sample();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        INFO(size);
        // Only where an optional field begins is a shorter one an entry; the container, which is
        // authenticated, does not let it come to that.
        const auto failure = failure_of(ByteView(bytes).first(size));
        if (!failure)
            CHECK_FALSE(decode_entry(ByteView(bytes).first(size)) == whole);
        else
            CHECK(*failure == ErrorKind::corrupt);
    }
}

TEST_CASE("an unknown field is skipped unless it must be understood", "[vault][entry]") {
    std::vector<Field> fields = split(encode_entry(sample()));
    fields.push_back({13, filled(1000, 1)});
    fields.push_back({0x7FFF, {}});
    CHECK(decode_entry(join(fields)) == sample());
    fields = split(encode_entry(sample()));
    fields.push_back({0x800D, {}});
    const auto error = error_of([&] { static_cast<void>(decode_entry(join(fields))); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::usage);
    CHECK(error->message() ==
          "entry has a field 0x800d that this version of walden does not understand");
    CHECK(error->hint() == "Upgrade walden on this host.");
}

TEST_CASE("each of the first six fields is required, once, in its place", "[vault][entry]") {
    const std::vector<Field> fields = split(encode_entry(sample()));
    REQUIRE(fields.size() == 11);
    for (std::size_t i = 0; i < fields.size(); ++i) {
        INFO("field " << i);
        std::vector<Field> without = fields;
        without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
        CHECK((failure_of(join(without)) == ErrorKind::corrupt) == (i < 6));

        std::vector<Field> twice = fields;
        twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(i), fields[i]);
        CHECK(failure_of(join(twice)) == ErrorKind::corrupt);

        if (i == 0) continue;
        std::vector<Field> exchanged = fields;
        std::swap(exchanged[i], exchanged[i - 1]);
        CHECK(failure_of(join(exchanged)) == ErrorKind::corrupt);
    }
    // The optional twin of a required tag is not that field.
    std::vector<Field> twin = fields;
    twin[0].tag = 1;
    CHECK(failure_of(join(twin)) == ErrorKind::corrupt);
    twin[0].tag = 0;
    CHECK(failure_of(join(twin)) == ErrorKind::corrupt);
}

TEST_CASE("fields of another size are refused", "[vault][entry]") {
    const std::vector<Field> fields = split(encode_entry(sample()));
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (i == 1 || i >= 9) continue;  // a name, facts and references of any size
        INFO("field " << i);
        for (const int change : {-1, 1}) {
            std::vector<Field> changed = fields;
            changed[i].body.resize(static_cast<std::size_t>(
                                       static_cast<std::ptrdiff_t>(fields[i].body.size()) + change),
                                   std::byte{0});
            CHECK(failure_of(join(changed)) == ErrorKind::corrupt);
        }
    }
}

TEST_CASE("an entry that contradicts itself is refused", "[vault][entry]") {
    const auto refused = [](const auto& change) {
        Entry entry = sample();
        change(entry);
        return failure_of(entry) == ErrorKind::corrupt;
    };
    CHECK(refused([](Entry& e) { e.plain_size += 1; }));
    CHECK(refused([](Entry& e) { e.pieces[0].plain_size -= 1; }));
    CHECK(refused([](Entry& e) { e.pieces.clear(); }));
    CHECK(refused([](Entry& e) { e.pieces[0].content_id = id_of(5); }));
    CHECK(refused([](Entry& e) { e.pieces[0].stored_size += 1; }));
    CHECK(refused([](Entry& e) { e.inlined.pop_back(); }));
    CHECK(refused([](Entry& e) {
        e.inlined = filled(inline_size_max + 1, 0);
        e.pieces[0].stored_size = e.inlined.size();
    }));
    CHECK(refused([](Entry& e) { e.pieces.push_back(e.pieces[0]), e.plain_size *= 2; }));
    CHECK(refused([](Entry& e) { e.file_name.clear(); }));
    CHECK(refused([](Entry& e) { e.file_name = std::string(65, 'x'); }));
    CHECK(refused([](Entry& e) {
        e.inlined.clear();
        e.plain_size = e.pieces[0].plain_size = piece_size_max + 1;
    }));
    CHECK(refused([](Entry& e) {
        e.inlined.clear();
        e.pieces[0].stored_size = (std::uint64_t{64} << 20) + 1;
    }));
    CHECK_FALSE(refused([](Entry& e) { e.inlined.clear(); }));
}

TEST_CASE("an entry cannot announce more than the largest segment", "[vault][entry]") {
    Entry entry = sample();
    entry.inlined.clear();
    entry.pieces.assign(33, {.content_id = id_of(1), .plain_size = piece_size_max});
    entry.plain_size = 33 * std::uint64_t{piece_size_max};
    CHECK(failure_of(entry) == ErrorKind::corrupt);

    // A count that the field does not have room for is not believed.
    std::vector<Field> fields = split(encode_entry(sample()));
    for (const std::uint32_t count : {0U, 2U, 0xFFFFFFFFU, 0x80000000U}) {
        store_le(fields[5].body.data(), count);
        CHECK(failure_of(join(fields)) == ErrorKind::corrupt);
    }
}

TEST_CASE("an entry of a newer version is refused with the advice to upgrade (invariant 40)",
          "[vault][entry]") {
    Bytes bytes = encode_entry(sample());
    for (const unsigned version : {2U, 256U, 65535U}) {
        store_le(bytes.data(), static_cast<std::uint16_t>(version));
        CHECK(failure_of(bytes) == ErrorKind::usage);
    }
    store_le(bytes.data(), std::uint16_t{0});
    CHECK(failure_of(bytes) == ErrorKind::corrupt);
}

TEST_CASE("a kind that is none is refused", "[vault][entry]") {
    std::vector<Field> fields = split(encode_entry(sample()));
    for (unsigned kind = 0; kind < 256; ++kind) {
        fields[0].body[0] = static_cast<std::byte>(kind);
        CHECK((failure_of(join(fields)) == ErrorKind::corrupt) == (kind < 1 || kind > 4));
    }
}
