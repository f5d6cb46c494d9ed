#include "pg/promotion.h"

#include "support/scratch_directory.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

using namespace walden;
using namespace walden::pg;
using std::chrono::system_clock;
using namespace std::chrono_literals;

namespace {

using Moment = system_clock::time_point;

/// A data directory whose entries are older than its last change, unless a test says otherwise.
class DataDirectory {
public:
    DataDirectory() {
        for (const char* name : {"PG_VERSION", "postgresql.conf", "standby.signal"}) write(name);
        std::filesystem::create_directory(path("pg_wal"));
    }

    [[nodiscard]] std::string path(const std::string& name) const {
        return (std::filesystem::path(scratch_.path()) / name).string();
    }

    void write(const std::string& name) const { std::ofstream(path(name)) << "x\n"; }

    /// Sets the modification time of an entry, "" for the directory itself.
    void set_modified(const std::string& name, Moment moment) const {
        const auto since_epoch = moment.time_since_epoch();
        const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
        const timespec time{seconds.count(),
                            std::chrono::nanoseconds(since_epoch - seconds).count()};
        const std::array<timespec, 2> times{time, time};
        REQUIRE(::utimensat(AT_FDCWD, path(name).c_str(), times.data(), 0) == 0);
    }

    [[nodiscard]] Moment modified(const std::string& name) const {
        struct stat found {};

        REQUIRE(::stat(path(name).c_str(), &found) == 0);
        return Moment(std::chrono::duration_cast<Moment::duration>(
            std::chrono::seconds(found.st_mtim.tv_sec) +
            std::chrono::nanoseconds(found.st_mtim.tv_nsec)));
    }

    [[nodiscard]] PromotionSign sign(Moment since = system_clock::now() - 60s) const {
        return find_promotion(scratch_.path(), since);
    }

private:
    testing::ScratchDirectory scratch_;
};

/// Until what is there by now is older than what comes is taken to be one event with.
void let_a_moment_pass() {
    const auto end = std::chrono::steady_clock::now() + 70ms;
    while (std::chrono::steady_clock::now() < end) {
    }
}

}  // namespace

TEST_CASE("a data directory to which something was added last is not being promoted",
          "[pg][promotion]") {
    const DataDirectory directory;
    CHECK(directory.sign() == PromotionSign::none);
    let_a_moment_pass();
    directory.write("backup_label.old");
    CHECK(directory.sign() == PromotionSign::none);
    let_a_moment_pass();
    std::filesystem::create_directory(directory.path("log"));
    CHECK(directory.sign() == PromotionSign::none);
}

TEST_CASE("the file promote is a request", "[pg][promotion]") {
    const DataDirectory directory;
    directory.write("promote");
    CHECK(directory.sign() == PromotionSign::requested);
    // However long it has been there.
    directory.set_modified("", system_clock::now() - 1h);
    CHECK(directory.sign() == PromotionSign::requested);
}

TEST_CASE("a removal that nothing has followed is a promotion that began", "[pg][promotion]") {
    const DataDirectory directory;
    directory.write("promote");
    let_a_moment_pass();
    std::filesystem::remove(directory.path("promote"));
    CHECK(directory.sign() == PromotionSign::acted_on);

    SECTION("until the moment is past for which it is remembered") {
        CHECK(directory.sign(directory.modified("")) == PromotionSign::acted_on);
        CHECK(directory.sign(directory.modified("") + 1ms) == PromotionSign::none);
    }
    SECTION("whatever is written to the files that are there, and in folders") {
        directory.write("postgresql.conf");
        directory.write("pg_wal/RECOVERYXLOG");
        CHECK(directory.sign() == PromotionSign::acted_on);
    }
    SECTION("until something is created") {
        let_a_moment_pass();
        directory.write("new");
        CHECK(directory.sign() == PromotionSign::none);
    }
    SECTION("until something is renamed") {
        let_a_moment_pass();
        std::filesystem::rename(directory.path("postgresql.conf"),
                                directory.path("postgresql.conf.old"));
        CHECK(directory.sign() == PromotionSign::none);
    }
    SECTION("also when the clock was set back meanwhile") {
        directory.set_modified("", system_clock::now() + 1h);
        CHECK(directory.sign() == PromotionSign::acted_on);
    }
}

TEST_CASE("a log in the data directory that is written while the promotion begins hides nothing",
          "[pg][promotion]") {
    const DataDirectory directory;
    directory.write("promote");
    directory.write("logfile");
    let_a_moment_pass();
    std::ofstream(directory.path("logfile"), std::ios::app) << "received promote request\n";
    std::filesystem::remove(directory.path("promote"));
    CHECK(directory.sign() == PromotionSign::acted_on);
}

TEST_CASE("what the server removed while it started is no promotion", "[pg][promotion]") {
    const DataDirectory directory;
    directory.write("promote");
    let_a_moment_pass();
    std::filesystem::remove(directory.path("promote"));
    // Only rewritten, as from the second start on: no entry arrives.
    std::filesystem::rename(directory.path("PG_VERSION"), directory.path("postmaster.opts"));
    const Moment started_at = system_clock::now();
    directory.set_modified("postmaster.opts", started_at);
    directory.set_modified("", started_at - 10s);
    CHECK(directory.sign() == PromotionSign::none);
    directory.set_modified("", started_at + 10s);
    CHECK(directory.sign() == PromotionSign::acted_on);
    // A clock that was set back makes the start look as if it were still to come.
    directory.set_modified("postmaster.opts", started_at + 1h);
    CHECK(directory.sign() == PromotionSign::acted_on);
}

TEST_CASE("a data directory that cannot be read is an error", "[pg][promotion]") {
    const testing::ScratchDirectory scratch;
    CHECK_THROWS(find_promotion(scratch.path() + "/none", system_clock::now()));
}
