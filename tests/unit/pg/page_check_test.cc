#include "pg/page_check.h"

#include "base/file.h"
#include "base/page_checksum.h"
#include "support/errors.h"
#include "support/scratch_directory.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

constexpr std::size_t page_size = 8192;

/// A page as block `block` of a cluster with checksums; `seed` tells pages apart.
Bytes make_page(std::uint32_t block, std::uint8_t seed = 1) {
    Bytes page(page_size, std::byte{0});
    for (std::size_t i = 0; i < page_size; i += 7) page[i] = static_cast<std::byte>(i * 31 + seed);
    store_le(&page[page_checksum_offset], page_checksum(page, block));
    return page;
}

/// One file, open for reading and writing.
class OnePageFile {
public:
    explicit OnePageFile(ByteView content) : path_(scratch_.path() + "/16384") {
        write_file_durably(path_, content, 0600);
        fd_ = FileDescriptor(::open(path_.c_str(), O_RDWR));
        REQUIRE(fd_.valid());
    }

    [[nodiscard]] PagePlace place(std::uint32_t block) const {
        return {.fd = fd_.get(), .offset = 0, .block = block, .path = path_};
    }

    void overwrite(ByteView content) const { write_all_at(fd_.get(), 0, content, path_); }

    void cut(std::size_t size) const {
        REQUIRE(::truncate(path_.c_str(), static_cast<off_t>(size)) == 0);
    }

private:
    testing::ScratchDirectory scratch_;
    std::string path_;
    FileDescriptor fd_;
};

}  // namespace

TEST_CASE("a page is good as the block that it was written as, and as no other (pitfall 32)",
          "[pg][page]") {
    const RelationFile third{.relation = 16384, .segment = 2};
    const std::uint32_t block = block_of(third, 131072, 5);
    CHECK(block == 262149);
    CHECK(check_page(make_page(block), block) == PageState::good);
    CHECK(check_page(make_page(block), 5) == PageState::bad);
    CHECK(block_of(third, 1000, 5) == 2005);
    const Bytes page = make_page(7);
    for (std::size_t bit = 0; bit < page_size * 8; bit += 97)
        if (check_page(with_bit_flipped(page, bit), 7) != PageState::bad) FAIL_CHECK("bit " << bit);
}

TEST_CASE("a zero page is valid, and what its header says decides nothing (pitfall 2)",
          "[pg][page]") {
    Bytes page(page_size, std::byte{0});
    CHECK(check_page(page, 3) == PageState::zero);
    page[page_size - 1] = std::byte{1};
    CHECK(check_page(page, 3) == PageState::bad);
    // Nonsense in every member of the header, pd_upper = 0 included, with the right checksum.
    for (const std::byte filler : {std::byte{0}, std::byte{0xFF}}) {
        Bytes odd = make_page(3);
        std::fill(odd.begin(), odd.begin() + 24, filler);
        store_le(&odd[page_checksum_offset], page_checksum(odd, 3));
        CHECK(check_page(odd, 3) == PageState::good);
    }
}

TEST_CASE("a page that was torn when it was read is read again (pitfall 1)", "[pg][page]") {
    const Bytes before = make_page(3, 1);
    const Bytes after = make_page(3, 2);
    Bytes torn = after;
    std::copy(before.begin() + 4096, before.end(), torn.begin() + 4096);
    REQUIRE(check_page(torn, 3) == PageState::bad);
    const OnePageFile file(after);
    Bytes page = torn;
    CHECK(prove_page(file.place(3), page) == PageVerdict::good);
    CHECK(page == after);
    file.overwrite(Bytes(page_size, std::byte{0}));
    page = torn;
    CHECK(prove_page(file.place(3), page) == PageVerdict::zero);
    CHECK(is_zero(page));
}

TEST_CASE("a page that stays bad is damaged, one that changes meanwhile is torn", "[pg][page]") {
    const Bytes damaged = with_bit_flipped(make_page(3), 50000);
    const OnePageFile file(damaged);
    Bytes page = damaged;
    CHECK(prove_page(file.place(3), page) == PageVerdict::damaged);
    CHECK(page == damaged);
    page = with_bit_flipped(damaged, 60000);
    CHECK(prove_page(file.place(3), page) == PageVerdict::torn);
    CHECK(page == damaged);
}

TEST_CASE("a page that was cut off meanwhile is gone (pitfall 6)", "[pg][page]") {
    const Bytes damaged = with_bit_flipped(make_page(3), 50000);
    const OnePageFile file(damaged);
    for (const std::size_t size : {std::size_t{0}, std::size_t{4096}}) {
        file.cut(size);
        Bytes page = damaged;
        CHECK(prove_page(file.place(3), page) == PageVerdict::gone);
        CHECK(page == damaged);
    }
}
