// Files of format version 1, made once by tests/golden/make_crypto.py, which shares no code with
// the library. They are read, never written: what is in a repository today must open for ever.
#include "crypto/content_id.h"
#include "crypto/frame_cipher.h"
#include "crypto/key_bundle.h"
#include "crypto/key_slot.h"
#include "crypto_test.h"

#include <sstream>

using namespace walden;
using namespace walden::crypto;

namespace {

UnlockSecret golden_secret(const std::string& name) {
    if (name.starts_with("random-key"))
        return UnlockSecret::from_key_text(as_text(read_golden(name + ".key")));
    std::string passphrase(as_text(read_golden(name + ".passphrase")));
    passphrase.pop_back();
    return UnlockSecret::from_passphrase(passphrase);
}

}  // namespace

TEST_CASE("golden slots of each source and kind open to their bundles", "[crypto][golden]") {
    const std::string source = GENERATE("random-key", "passphrase");
    const std::string kind = GENERATE("read", "put");
    const std::string name = source + "-" + kind;
    const UnlockSecret secret = golden_secret(name);
    const std::vector<Bytes> generations{read_golden(name + ".1.slot"),
                                         read_golden(name + ".2.slot")};
    const auto first = open_slot(secret, generations[0]);
    REQUIRE(first.has_value());
    CHECK(to_hex(first->encode()) == to_hex(read_golden(kind + ".1.bundle")));

    const auto chain = open_slot_chain(secret, generations);
    REQUIRE(chain.has_value());
    REQUIRE(chain->size() == 2);
    CHECK(to_hex(chain->front().encode()) == to_hex(read_golden(kind + ".1.bundle")));
    CHECK(to_hex(chain->back().encode()) == to_hex(read_golden(kind + ".2.bundle")));

    const SlotHeader header = read_slot_header(generations[1]);
    CHECK(header.generation == 2);
    CHECK(header.created == 1700000000);
    CHECK(header.label == name + " of the golden files");
    CHECK(header.cluster == (kind == "put" ? "main" : ""));
    CHECK((header.source == SlotSource::passphrase) == (source == "passphrase"));
    CHECK(is_slot_endorsed(generations[1], chain->back().admin_public_key()));
    CHECK_FALSE(is_slot_endorsed(generations[1], chain->front().admin_public_key()));
}

TEST_CASE("a golden read bundle makes the golden put bundle of its epoch", "[crypto][golden]") {
    const std::string generation = GENERATE("1", "2");
    const KeyBundle read = KeyBundle::decode(read_golden("read." + generation + ".bundle"));
    CHECK(to_hex(read.make_put_bundle("main").encode()) ==
          to_hex(read_golden("put." + generation + ".bundle")));
}

TEST_CASE("content ids are those of the independent implementation", "[crypto][golden]") {
    std::istringstream lines{std::string(as_text(read_golden("content_ids.txt")))};
    std::string key_hex;
    std::getline(lines, key_hex);
    const Secret<32> key = secret_from_hex(key_hex);
    std::string kind;
    std::string id;
    std::size_t size = 0;
    std::size_t count = 0;
    for (; lines >> kind >> size >> id; ++count) {
        INFO(kind << " " << size);
        const ContentIdKey id_key = kind == "keyed" ? ContentIdKey(key) : std::nullopt;
        CHECK(to_string(compute_content_id(id_key, pattern(size), 2)) == id);
    }
    CHECK(count == 14);
}

TEST_CASE("frames are those of the independent implementation", "[crypto][golden]") {
    std::istringstream lines{std::string(as_text(read_golden("frames.txt")))};
    std::string key_hex;
    std::string header_hex;
    lines >> key_hex >> header_hex;
    unsigned suite = 0;
    unsigned stream = 0;
    std::uint32_t frame = 0;
    bool is_last = false;
    std::size_t size = 0;
    std::string hex;
    std::size_t count = 0;
    for (; lines >> suite >> stream >> frame >> is_last >> size >> hex; ++count) {
        FrameCipher cipher(static_cast<Suite>(suite), secret_from_hex(key_hex),
                           array_from_hex<32>(header_hex));
        const FramePosition at{static_cast<std::uint8_t>(stream), frame, is_last};
        Bytes sealed(size + tag_size);
        cipher.seal(at, pattern(size), sealed);
        CHECK(to_hex(sealed) == hex);
        Bytes opened(size);
        CHECK(cipher.open(at, from_hex(hex), opened));
        CHECK(equal(opened, pattern(size)));
    }
    CHECK(count == 24);
}
