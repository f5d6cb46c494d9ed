#include "codec/wal/container/stream_container.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "codec/wal/container/container_plan.h"
#include "codec/wal/container/varint.h"
#include "tables.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

using namespace walden;
using namespace walden::codec;
using namespace walden::codec::wal_codec;

namespace {

/// Streams and their slots, filled and compared by the tests.
struct StreamSet {
    std::vector<Stream> streams;
    std::vector<StreamSlot> slots;

    explicit StreamSet(const std::vector<std::uint32_t>& widths) : streams(widths.size()) {
        for (std::size_t i = 0; i < widths.size(); ++i)
            slots.push_back(
                {&streams[i], widths[i], static_cast<StreamClass>(i % stream_class_count)});
    }

    void fill(std::size_t index, ByteView bytes) {
        std::byte* const place = streams[index].resize(bytes.size());
        if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
    }

    [[nodiscard]] std::size_t total() const {
        std::size_t size = 0;
        for (const Stream& stream : streams) size += stream.size();
        return size;
    }
};

/// Every way in which a stream can be stored: nothing, few bytes, words, noise, one byte repeated,
/// more than one chunk, tables of few and of many rows, columns of one chunk and of two.
StreamSet sample_streams() {
    StreamSet set({0, 0, 0, 0, 0, 0, 24, 7, 1, 300, 16, 0, 5});
    set.fill(1, noise(17, 1));
    set.fill(2, prose(30'000, 2));
    set.fill(3, noise(50'000, 3));
    set.fill(4, zero_bytes(100'000));
    set.fill(5, prose(chunk_size_max + 70'000, 5));
    set.fill(6, random_table(5'000, 24, 6));
    set.fill(7, random_table(11, 7, 7));
    set.fill(8, random_table(chunk_size_max + 1000, 1, 8));
    set.fill(9, random_table(16, 300, 9));
    set.fill(11, prose(400, 11));
    set.fill(12, random_table(100, 5, 12));
    return set;
}

std::size_t plain_size_of(const StreamSet& set) {
    return set.total();
}

Bytes write(const StreamSet& set, ByteView directory, const ContainerOptions& options) {
    ContainerWorkspace workspace;
    Bytes out;
    REQUIRE(write_container(directory, set.slots, plain_size_of(set), options, workspace, out));
    return out;
}

bool same_streams(const StreamSet& a, const StreamSet& b) {
    if (a.streams.size() != b.streams.size()) return false;
    for (std::size_t i = 0; i < a.streams.size(); ++i)
        if (!equal(a.streams[i].bytes(), b.streams[i].bytes())) return false;
    return true;
}

std::vector<std::uint32_t> widths_of(const StreamSet& set) {
    std::vector<std::uint32_t> widths;
    for (const StreamSlot& slot : set.slots) widths.push_back(slot.row_width);
    return widths;
}

/// The kind of the Error, nullopt if everything was read.
std::optional<ErrorKind> try_read(ByteView encoded, std::size_t plain_size, StreamSet& out,
                                  std::size_t worker_count = 1) {
    try {
        ContainerWorkspace workspace;
        ContainerReader reader(encoded, plain_size, workspace);
        reader.read_streams(out.slots, worker_count);
        return std::nullopt;
    } catch (const Error& error) {
        return error.kind();
    }
}

void make_hash_valid(Bytes& encoded) {
    store_le(encoded.data() + 1, xxh3_64(ByteView(encoded).subspan(9)));
}

}  // namespace

TEST_CASE("streams come back from a container of either back end", "[wal_codec]") {
    const auto back_end = GENERATE(BackEnd::zstd, BackEnd::lz4);
    const auto worker_count = GENERATE(std::size_t{1}, 4);
    const StreamSet set = sample_streams();
    const Bytes directory = prose(3000, 99);
    const Bytes encoded = write(set, directory, {back_end, 1, worker_count});
    CHECK(encoded.size() < set.total() / 3 * 2);

    StreamSet out(widths_of(set));
    ContainerWorkspace workspace;
    ContainerReader reader(encoded, plain_size_of(set), workspace);
    CHECK(equal(reader.directory(), directory));
    reader.read_streams(out.slots, worker_count);
    CHECK(same_streams(set, out));
}

TEST_CASE("the bytes of a container do not depend on threads or on what the workspace did before",
          "[wal_codec]") {
    const StreamSet set = sample_streams();
    const Bytes alone = write(set, {}, {BackEnd::zstd, 1, 1});
    ContainerWorkspace workspace;
    StreamSet other({16});
    other.fill(0, random_table(5000, 16, 77));
    Bytes out;
    REQUIRE(write_container({}, other.slots, 80'000, {BackEnd::zstd, 3, 2}, workspace, out));
    for (int round = 0; round < 3; ++round) {
        REQUIRE(write_container({}, set.slots, plain_size_of(set), {BackEnd::zstd, 1, 3}, workspace,
                                out));
        CHECK(out == alone);
    }
}

TEST_CASE("one workspace reads one container after the other", "[wal_codec]") {
    ContainerWorkspace workspace;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        Sequence sequence(seed);
        std::vector<std::uint32_t> widths;
        for (std::size_t i = 0; i < 30; ++i)
            widths.push_back(
                static_cast<std::uint32_t>(sequence.next() % 3 * (sequence.next() % 60)));
        StreamSet set(widths);
        for (std::size_t i = 0; i < widths.size(); ++i)
            set.fill(i, widths[i] == 0 ? prose(sequence.next() % 3000, seed + i)
                                       : random_table(sequence.next() % 300, widths[i], seed + i));
        Bytes encoded;
        REQUIRE(write_container(prose(seed, seed), set.slots, plain_size_of(set), {}, workspace,
                                encoded));
        StreamSet out(widths);
        ContainerReader reader(encoded, plain_size_of(set), workspace);
        reader.read_streams(out.slots, 2);
        REQUIRE(same_streams(set, out));
    }
}

TEST_CASE("more than a reader takes memory for is not written", "[wal_codec]") {
    StreamSet set({0});
    constexpr std::size_t plain_size = 100'000;
    ContainerWorkspace workspace;
    Bytes out;
    set.fill(0, zero_bytes(stream_total_max(plain_size)));
    CHECK(write_container({}, set.slots, plain_size, {}, workspace, out));
    CHECK_FALSE(write_container(zero_bytes(1), set.slots, plain_size, {}, workspace, out));
    set.fill(0, zero_bytes(stream_total_max(plain_size) + 1));
    CHECK_FALSE(write_container({}, set.slots, plain_size, {}, workspace, out));
}

TEST_CASE("every flipped bit of a container is noticed before anything is decoded", "[wal_codec]") {
    StreamSet set({0, 9, 0});
    set.fill(0, prose(2000, 1));
    set.fill(1, random_table(200, 9, 2));
    set.fill(2, noise(1500, 3));
    const Bytes encoded = write(set, prose(100, 4), {});
    StreamSet out(widths_of(set));
    for (std::size_t bit = 0; bit < encoded.size() * 8; bit += 3) {
        Bytes damaged = encoded;
        damaged[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        const auto kind = try_read(damaged, plain_size_of(set), out);
        REQUIRE(kind);
        // A higher version is not damage but a reason to upgrade.
        CHECK((*kind == ErrorKind::corrupt || (*kind == ErrorKind::usage && bit < 8)));
    }
}

TEST_CASE("a container cut anywhere or continued is corrupt, even with a valid hash",
          "[wal_codec]") {
    StreamSet set({0, 9, 0});
    set.fill(0, prose(2000, 1));
    set.fill(1, random_table(200, 9, 2));
    set.fill(2, noise(1500, 3));
    const Bytes encoded = write(set, prose(100, 4), {});
    StreamSet out(widths_of(set));
    for (std::size_t size = 0; size < encoded.size(); ++size) {
        Bytes cut = to_bytes(ByteView(encoded).first(size));
        if (size > 9) make_hash_valid(cut);
        REQUIRE(try_read(cut, plain_size_of(set), out) == ErrorKind::corrupt);
    }
    Bytes longer = encoded;
    longer.push_back(std::byte{0});
    make_hash_valid(longer);
    CHECK(try_read(longer, plain_size_of(set), out) == ErrorKind::corrupt);
    CHECK(try_read(encoded, plain_size_of(set) + 1, out) == ErrorKind::corrupt);
    CHECK_FALSE(try_read(encoded, plain_size_of(set), out));
}

TEST_CASE("damage under a valid hash gives an error or other bytes, and nothing else",
          "[wal_codec]") {
    const auto back_end = GENERATE(BackEnd::zstd, BackEnd::lz4);
    StreamSet set({0, 9, 0, 64, 2});
    set.fill(0, prose(4000, 1));
    set.fill(1, random_table(200, 9, 2));
    set.fill(2, noise(1500, 3));
    set.fill(3, random_table(900, 64, 5));
    set.fill(4, random_table(20, 2, 5));
    const Bytes encoded = write(set, prose(100, 4), {back_end, 1, 1});
    StreamSet out(widths_of(set));
    Sequence sequence(5);
    std::size_t refused = 0;
    for (int round = 0; round < 3000; ++round) {
        Bytes damaged = encoded;
        // The directories are in front, and more interesting than the bodies.
        const std::size_t reach = round % 2 == 0 ? damaged.size() : std::size_t{300};
        for (std::uint64_t i = 0; i <= sequence.next() % 3; ++i)
            damaged[9 + sequence.next() % (reach - 9)] = static_cast<std::byte>(sequence.next());
        make_hash_valid(damaged);
        const std::size_t worker_count = round % 2 == 0 ? 1 : 2;
        const auto kind = try_read(damaged, plain_size_of(set), out, worker_count);
        if (kind) {
            ++refused;
            REQUIRE(*kind == ErrorKind::corrupt);
        }
        REQUIRE(out.total() <= 2 * stream_total_max(plain_size_of(set)));
    }
    CHECK(refused > 500);
}

TEST_CASE("shapes other than those that were written are corrupt", "[wal_codec]") {
    StreamSet set({0, 9});
    set.fill(0, prose(4000, 1));
    set.fill(1, random_table(200, 9, 2));
    const Bytes encoded = write(set, {}, {});
    for (const std::vector<std::uint32_t>& widths :
         {std::vector<std::uint32_t>{0}, {0, 9, 0}, {0, 8}, {0, 10}, {0, 0}, {9, 9}, {}}) {
        StreamSet out(widths);
        CHECK(try_read(encoded, plain_size_of(set), out) == ErrorKind::corrupt);
    }
}

TEST_CASE("a container of a later version asks for an upgrade", "[wal_codec]") {
    StreamSet set({0});
    set.fill(0, prose(4000, 1));
    Bytes encoded = write(set, {}, {});
    encoded[0] = std::byte{2};
    CHECK(try_read(encoded, plain_size_of(set), set) == ErrorKind::usage);
    encoded[0] = std::byte{0};
    CHECK(try_read(encoded, plain_size_of(set), set) == ErrorKind::corrupt);
}

TEST_CASE("numbers of variable length come back, and longer than 64 bits are refused",
          "[wal_codec]") {
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{16'383},
          std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
        Bytes bytes;
        append_varint(bytes, value);
        ByteReader reader(bytes);
        CHECK(read_varint(reader) == value);
        CHECK(reader.ok());
        CHECK(reader.remaining() == 0);
        ByteReader cut(ByteView(bytes).first(bytes.size() - 1));
        CHECK(read_varint(cut) == 0);
        CHECK_FALSE(cut.ok());
    }
    Bytes endless(11, std::byte{0x80});
    ByteReader reader(endless);
    CHECK(read_varint(reader) == 0);
    CHECK_FALSE(reader.ok());
}

TEST_CASE("the golden containers of every layout version decode", "[wal_codec][golden]") {
    const char* const name =
        GENERATE("wal-container-layout1-zstd.bin", "wal-container-layout1-lz4.bin");
    const char* const root = std::getenv("WALDEN_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    const auto encoded = read_file(std::string(root) + "/tests/golden/codec/" + name, 1 << 20);
    REQUIRE(encoded);
    StreamSet out({0, 0, 0, 0, 0, 24, 7, 1, 300, 16, 0, 5});
    ContainerWorkspace workspace;
    ContainerReader reader(*encoded, 2'243'746, workspace);
    Bytes all = to_bytes(reader.directory());
    reader.read_streams(out.slots, 2);
    for (const Stream& stream : out.streams) append(all, stream.bytes());
    CHECK(xxh3_64(all) == 0xFD009041FB482F35);
}
