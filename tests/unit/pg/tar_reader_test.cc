#include "pg/tar_reader.h"

#include "base/error.h"
#include "base/format.h"
#include "support/errors.h"
#include "tar_builder.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::test;
using namespace walden::pg;

namespace {

/// What came, as text: "f path mode size time|data", "d path", "l path -> target".
class Listing : public TarSink {
public:
    void on_entry(const TarEntry& entry) override {
        if (entry.kind == TarEntryKind::file)
            text_ += format("f {} {:o} {} {}|", entry.path, entry.mode, entry.size, entry.modified);
        else if (entry.kind == TarEntryKind::directory)
            text_ += format("d {}\n", entry.path);
        else
            text_ += format("l {} -> {}\n", entry.path, entry.target);
    }

    void on_data(ByteView piece) override { text_ += as_text(piece); }

    void on_file_end() override { text_ += "\n"; }

    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

std::string list(ByteView archive, std::size_t piece_size = 32768) {
    Listing listing;
    TarReader reader(listing);
    for (std::size_t at = 0; at < archive.size(); at += piece_size)
        reader.feed(archive.subspan(at, std::min(piece_size, archive.size() - at)));
    reader.finish();
    return listing.text();
}

bool is_refused(ByteView archive) {
    return kind_of([&] { static_cast<void>(list(archive)); }) == ErrorKind::corrupt;
}

}  // namespace

TEST_CASE("files, directories and links come as they were put in, however it is cut", "[pg][tar]") {
    TarBuilder tar;
    tar.add({.name = "backup_label", .data = "START"});
    tar.add({.name = "base", .type = '5', .mode = 0700});
    tar.add({.name = "./pg_wal/archive_status/", .type = '5'});
    tar.add({.name = "base/5/1259", .data = std::string(512, 'x')});
    tar.add({.name = "empty", .data = ""});
    tar.add({.name = "pg_tblspc/16384", .type = '2', .target = "/srv/a b"});
    const std::string expected =
        "f backup_label 600 5 1700000000|START\nd base\nd pg_wal/archive_status\n"
        "f base/5/1259 600 512 1700000000|" +
        std::string(512, 'x') + "\nf empty 600 0 1700000000|\nl pg_tblspc/16384 -> /srv/a b\n";
    for (const std::size_t piece : {1U, 7U, 511U, 512U, 513U, 4096U, 1U << 20})
        CHECK(list(tar.bytes(), piece) == expected);
    tar.end();
    CHECK(list(tar.bytes()) == expected);
}

TEST_CASE("sizes above 8 GiB are base-256 (pitfall 36)", "[pg][tar]") {
    Bytes header = TarBuilder::header({.name = "base/5/1259", .data = ""});
    const std::uint64_t size = std::uint64_t{9} << 30;
    TarBuilder::set_binary_size(header, size);
    Listing listing;
    TarReader reader(listing);
    reader.feed(header);
    CHECK(mentions(listing.text(), format(" {} ", size)));
    CHECK(kind_of([&] { reader.finish(); }) == ErrorKind::corrupt);
    TarBuilder::set_binary_size(header, std::uint64_t{1} << 63);
    CHECK(is_refused(header));
}

TEST_CASE("long names of POSIX, GNU and pax are put together (pitfall 36)", "[pg][tar]") {
    const std::string directory(120, 'd');
    const std::string name(90, 'n');
    const std::string target = "/" + std::string(200, 't');
    SECTION("prefix") {
        TarBuilder tar;
        tar.add({.name = name, .prefix = directory, .data = "x"});
        CHECK(list(tar.bytes()) == format("f {}/{} 600 1 1700000000|x\n", directory, name));
    }
    SECTION("GNU") {
        TarBuilder tar;
        tar.add({.name = "././@LongLink", .type = 'L', .data = directory + "/" + name + '\0'});
        tar.add({.name = "cut", .data = "x"});
        tar.add({.name = "././@LongLink", .type = 'K', .data = target + '\0'});
        tar.add({.name = "link", .type = '2', .target = "cut"});
        tar.add({.name = "after", .data = ""});
        for (const std::size_t piece : {1U, 100U, 32768U})
            CHECK(list(tar.bytes(), piece) ==
                  format("f {}/{} 600 1 1700000000|x\nl link -> {}\nf after 600 0 1700000000|\n",
                         directory, name, target));
    }
    SECTION("pax") {
        TarBuilder tar;
        tar.add({.name = "x", .type = 'x', .data = "12 path=a/b\n20 comment=whatever\n"});
        tar.add({.name = "cut", .data = "x"});
        CHECK(list(tar.bytes()) == "f a/b 600 1 1700000000|x\n");
        for (const char* bad :
             {"12 path=a/c", "x path=a\n", "99 path=a\n", "3 \n", "9 patha/b\n", "10 size=x\n"}) {
            TarBuilder damaged;
            damaged.add({.name = "x", .type = 'x', .data = bad});
            damaged.add({.name = "cut", .data = "x"});
            CHECK(is_refused(damaged.bytes()));
        }
    }
    SECTION("without end") {
        TarBuilder tar;
        tar.add({.name = "././@LongLink", .type = 'L', .data = std::string(5000, 'x')});
        CHECK(is_refused(tar.bytes()));
        TarBuilder alone;
        alone.add({.name = "././@LongLink", .type = 'L', .data = "x"});
        CHECK(is_refused(alone.bytes()));
    }
}

TEST_CASE("names that lead out of the directory are refused (pitfall 36)", "[pg][tar]") {
    for (const char* name : {"/etc/passwd", "../x", "a/../b", "a/..", "..", "base//../../x"}) {
        TarBuilder tar;
        tar.add({.name = name, .data = "x"});
        INFO(name);
        CHECK(is_refused(tar.bytes()));
        TarBuilder pax;
        const std::string record = format(" path={}\n", name);
        pax.add({.name = "x", .type = 'x', .data = format("{}{}", record.size() + 2, record)});
        pax.add({.name = "cut", .data = "x"});
        CHECK(is_refused(pax.bytes()));
    }
    TarBuilder tar;
    tar.add({.name = "./a//b/./..c", .data = "x"});
    CHECK(list(tar.bytes()) == "f a/b/..c 600 1 1700000000|x\n");
}

TEST_CASE("what is damaged or of no use in a backup is refused", "[pg][tar]") {
    for (const char type : {'1', '3', '4', '6', '7', 'g', 'S', 'V'}) {
        TarBuilder tar;
        tar.add({.name = "x", .type = type});
        CHECK(is_refused(tar.bytes()));
    }
    TarBuilder nowhere;
    nowhere.add({.name = "x", .type = '2'});
    CHECK(is_refused(nowhere.bytes()));
    TarBuilder nameless;
    nameless.add({.name = "./", .data = "x"});
    CHECK(is_refused(nameless.bytes()));

    TarBuilder tar;
    tar.add({.name = "a", .data = "x"});
    for (std::size_t bit = 0; bit < 500 * 8; bit += 3) {
        // The checksum may be written in more than one way.
        if (bit / 8 >= 148 && bit / 8 < 156) continue;
        if (!is_refused(with_bit_flipped(tar.bytes(), bit))) FAIL_CHECK("bit " << bit);
    }
    for (std::size_t size = 1; size < tar.bytes().size(); ++size)
        if (!is_refused(ByteView(tar.bytes()).first(size))) FAIL_CHECK("cut to " << size);
    tar.end();
    Bytes more = tar.bytes();
    append(more, TarBuilder::header({.name = "b", .data = ""}));
    CHECK(is_refused(more));
}
