#include "crypto/frame_cipher.h"

#include "crypto_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace walden;
using namespace walden::crypto;

namespace {

Secret<32> some_key(char digit = '3') {
    return secret_from_hex(std::string(64, digit));
}

Bytes seal(Suite suite, FramePosition at, ByteView plain) {
    Bytes sealed(plain.size() + tag_size);
    FrameCipher(suite, some_key(), sha256(as_bytes("header"))).seal(at, plain, sealed);
    return sealed;
}

bool opens(FrameCipher& cipher, FramePosition at, ByteView sealed) {
    Bytes out(sealed.size() < tag_size ? 0 : sealed.size() - tag_size, std::byte{0xEE});
    const bool opened = cipher.open(at, sealed, out);
    if (!opened) CHECK(equal(out, Bytes(out.size(), std::byte{0})));
    return opened;
}

/// True if a process that runs `body` is ended by SIGABRT.
template <class Body>
bool aborts(const Body& body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::signal(SIGABRT, SIG_DFL);
        ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
        body();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace

TEST_CASE("a sealed frame opens to what it was, in place too", "[crypto][frame]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    const std::size_t size = GENERATE(0U, 1U, 15U, 16U, 17U, 262144U);
    FrameCipher cipher(suite, some_key(), sha256(as_bytes("header")));
    const FramePosition at{.stream = 2, .frame = 7, .is_last = false};
    const Bytes plain = pattern(size);
    Bytes sealed(size + tag_size);
    cipher.seal(at, plain, sealed);
    if (suite == Suite::aes_256_gcm && size >= 16) CHECK_FALSE(contains(sealed, plain));
    Bytes opened(size);
    CHECK(cipher.open(at, sealed, opened));
    CHECK(equal(opened, plain));

    Bytes in_place = plain;
    in_place.resize(size + tag_size);
    FrameCipher(suite, some_key(), sha256(as_bytes("header")))
        .seal(at, ByteView(in_place).first(size), in_place);
    CHECK(equal(in_place, sealed));
    CHECK(cipher.open(at, in_place, MutableByteView(in_place).first(size)));
    CHECK(equal(ByteView(in_place).first(size), plain));
}

TEST_CASE("a frame with any bit flipped or cut anywhere does not open", "[crypto][frame]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    const FramePosition at{.stream = 0, .frame = 3, .is_last = true};
    const Bytes sealed = seal(suite, at, pattern(50));
    FrameCipher cipher(suite, some_key(), sha256(as_bytes("header")));
    REQUIRE(opens(cipher, at, sealed));
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit)
        CHECK_FALSE(opens(cipher, at, with_bit_flipped(sealed, bit)));
    for (std::size_t size = 0; size < sealed.size(); ++size)
        CHECK_FALSE(opens(cipher, at, ByteView(sealed).first(size)));
    Bytes longer = sealed;
    longer.push_back(std::byte{0});
    CHECK_FALSE(opens(cipher, at, longer));
    CHECK(opens(cipher, at, sealed));  // a failure leaves the cipher usable
}

TEST_CASE("a frame opens only at its place, under its header and key", "[crypto][frame]") {
    const Suite suite = GENERATE(Suite::none, Suite::aes_256_gcm);
    const FramePosition at{.stream = 1, .frame = 0x01020304, .is_last = false};
    const Bytes sealed = seal(suite, at, pattern(50));
    FrameCipher cipher(suite, some_key(), sha256(as_bytes("header")));
    CHECK_FALSE(opens(cipher, {.stream = 2, .frame = at.frame, .is_last = false}, sealed));
    CHECK_FALSE(opens(cipher, {.stream = 1, .frame = 0x04030201, .is_last = false}, sealed));
    CHECK_FALSE(opens(cipher, {.stream = 1, .frame = at.frame + 1, .is_last = false}, sealed));
    CHECK_FALSE(opens(cipher, {.stream = 1, .frame = at.frame, .is_last = true}, sealed));
    FrameCipher other_header(suite, some_key(), sha256(as_bytes("other")));
    CHECK_FALSE(opens(other_header, at, sealed));
    if (suite == Suite::aes_256_gcm) {
        FrameCipher other_key(suite, some_key('4'), sha256(as_bytes("header")));
        CHECK_FALSE(opens(other_key, at, sealed));
    }
}

TEST_CASE("different positions encrypt equal plaintexts differently", "[crypto][frame]") {
    // With equal nonces the ciphertexts of zeros would be equal: each is the bare key stream.
    // (A lost increment of the nonce would show here.)
    const Bytes zeros(32, std::byte{0});
    std::vector<std::string> streams;
    for (const std::uint8_t stream : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{255}})
        for (const std::uint32_t frame : {0U, 1U, 255U, 256U, 65536U, 0x1000000U, 0xFFFFFFFFU})
            for (const bool is_last : {false, true})
                streams.push_back(to_hex(
                    ByteView(seal(Suite::aes_256_gcm, {stream, frame, is_last}, zeros)).first(32)));
    std::sort(streams.begin(), streams.end());
    CHECK(std::adjacent_find(streams.begin(), streams.end()) == streams.end());
    CHECK(streams.size() == 3 * 7 * 2);
}

TEST_CASE("sealing two frames with one number aborts before a nonce repeats", "[crypto][frame]") {
    const auto seal_both = [](FramePosition first, FramePosition second) {
        return [=] {
            FrameCipher cipher(Suite::aes_256_gcm, Secret<32>(), HeaderHash{});
            std::byte out[tag_size];
            cipher.seal(first, {}, out);
            cipher.seal(second, {}, out);
        };
    };
    CHECK(aborts(seal_both({0, 5, false}, {0, 5, false})));
    CHECK(aborts(seal_both({0, 5, false}, {0, 5, true})));
    CHECK(aborts(seal_both({0, 5, false}, {0, 4, false})));
    CHECK(aborts(seal_both({0, 0xFFFFFFFF, false}, {0, 0, false})));
    CHECK_FALSE(aborts(seal_both({0, 5, false}, {0, 6, false})));
    CHECK_FALSE(aborts(seal_both({0, 5, false}, {1, 5, false})));
}

TEST_CASE("suite none is stable under any key", "[crypto][frame]") {
    Bytes a(26);
    Bytes b(26);
    FrameCipher(Suite::none, some_key('1'), HeaderHash{}).seal({}, pattern(10), a);
    FrameCipher(Suite::none, some_key('2'), HeaderHash{}).seal({}, pattern(10), b);
    CHECK(equal(a, b));
    CHECK(equal(ByteView(a).first(10), pattern(10)));
}
