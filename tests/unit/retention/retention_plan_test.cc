#include "retention/retention_plan.h"

#include "base/format.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

namespace walden::retention {
namespace {

constexpr std::int64_t day = 86'400;
constexpr std::int64_t monday = 4 * day;  // 1970-01-05

wal::Lsn at(std::uint64_t segment, std::uint64_t offset = 0x28) {
    return {segment * wal::SegmentSize().bytes() + offset};
}

/// A backup of timeline 1 within one segment, the n-th day's.
BackupView backup_of_day(std::int64_t n, std::uint64_t segment) {
    return {.span = {.id = format("b{:02}", n),
                     .timeline = 1,
                     .start = at(segment),
                     .stop = at(segment, 0x100)},
            .began = monday + n * day,
            .is_proven = true};
}

ArchiveView daily(std::int64_t days) {
    ArchiveView archive;
    for (std::int64_t n = 0; n < days; ++n)
        archive.backups.push_back(backup_of_day(n, 10 + 10 * static_cast<std::uint64_t>(n)));
    archive.runs[1] = {{.first = 1, .last = 10 * static_cast<std::uint64_t>(days) + 10}};
    return archive;
}

Policy one_tier(Period every, std::uint32_t keep, WalKept wal = WalKept::all) {
    return {.tiers = {{.name = "t", .every = every, .keep = keep, .wal = wal}}, .minimum = 1};
}

std::string kept_ids(const Plan& plan) {
    std::string ids;
    for (const BackupVerdict& verdict : plan.backups)
        if (verdict.is_kept) ids += verdict.id + " ";
    return ids;
}

std::string wal_text(const Plan& plan) {
    std::string text;
    for (const WalVerdict& verdict : plan.wal)
        text += format("{}{}:{}-{} ", verdict.is_kept ? "+" : "-", verdict.timeline,
                       verdict.segments.first, verdict.segments.last);
    return text;
}

}  // namespace

TEST_CASE("a daily tier keeps the newest backups, and the WAL from the oldest of them on",
          "[retention][plan]") {
    const Plan plan = make_plan(one_tier(Period::day, 3), daily(10));
    CHECK(kept_ids(plan) == "b09 b08 b07 ");
    CHECK(wal_text(plan) == "-1:1-79 +1:80-110 ");
    REQUIRE(plan.before.size() == 1);
    CHECK(plan.before[0].from == at(10, 0x100));
    REQUIRE(plan.after.size() == 1);
    CHECK(plan.after[0].from == at(80, 0x100));
    CHECK(plan.after[0].to == at(111, 0));
    CHECK(plan.refusals.empty() == false);  // 7 of 10 at once
    CHECK(plan.refusals == std::vector{Refusal::most_would_go});
}

TEST_CASE("a weekly tier keeps the newest backup of each week", "[retention][plan]") {
    // Days 0 to 6, 7 to 13 and 14 to 20 are weeks.
    CHECK(kept_ids(make_plan(one_tier(Period::week, 2), daily(20))) == "b19 b13 ");
}

TEST_CASE("a tier of consistency keeps islands of WAL that make its backups consistent",
          "[retention][plan]") {
    Policy policy = one_tier(Period::day, 2);
    policy.tiers.push_back(
        {.name = "old", .every = Period::week, .keep = 3, .wal = WalKept::consistency});
    const Plan plan = make_plan(policy, daily(20));
    CHECK(kept_ids(plan) == "b19 b18 b13 b06 ");
    CHECK(wal_text(plan) == "-1:1-69 +1:70-70 -1:71-139 +1:140-140 -1:141-189 +1:190-210 ");
    CHECK(plan.after.size() == 3);
    CHECK(plan.after[0].to == at(71, 0));
}

TEST_CASE("a clock that jumps ten years ahead lets one backup go at most (fault 81)",
          "[retention][plan]") {
    ArchiveView archive = daily(7);
    const auto before = kept_ids(make_plan(one_tier(Period::day, 7), archive));
    CHECK(before == "b06 b05 b04 b03 b02 b01 b00 ");
    BackupView jumped = backup_of_day(7, 90);
    jumped.began += 3650 * day;
    archive.backups.push_back(jumped);
    CHECK(kept_ids(make_plan(one_tier(Period::day, 7), archive)) == "b07 b06 b05 b04 b03 b02 b01 ");
}

TEST_CASE("a policy without a tier for base backups is refused", "[retention][plan]") {
    const Plan plan = make_plan({.tiers = {}, .minimum = 2}, daily(4));
    CHECK(std::count(plan.refusals.begin(), plan.refusals.end(), Refusal::no_policy) == 1);
}

TEST_CASE("nothing goes while no backup that stays has been proven to start", "[retention][plan]") {
    ArchiveView archive = daily(3);
    archive.backups.back().is_proven = false;
    const Plan plan = make_plan(one_tier(Period::day, 1), archive);
    CHECK(plan.refusals == std::vector{Refusal::nothing_proven});
}

TEST_CASE("damaged backups count in no tier, and go once a newer one is whole (fault 83)",
          "[retention][plan]") {
    ArchiveView archive = daily(4);
    archive.backups[3].is_damaged = true;
    CHECK(kept_ids(make_plan(one_tier(Period::day, 2), archive)) == "b03 b02 b01 ");
    archive.backups[3].is_damaged = false;
    archive.backups[2].is_damaged = true;
    CHECK(kept_ids(make_plan(one_tier(Period::day, 2), archive)) == "b03 b01 ");
}

TEST_CASE("pins and running backups stay with their WAL", "[retention][plan]") {
    ArchiveView archive = daily(6);
    archive.backups[1].pin = "court order 7";
    BackupView running = backup_of_day(6, 68);
    running.state = BackupState::running;
    running.span.stop = {};
    archive.backups.push_back(running);
    const Plan plan = make_plan(one_tier(Period::day, 1), archive);
    CHECK(kept_ids(plan) == "b06 b05 b01 ");
    CHECK(wal_text(plan) == "-1:1-19 +1:20-70 ");
    CHECK(plan.backups[2].id == "b04");
    CHECK(plan.backups.back().why == "no tier counts it");
}

TEST_CASE("aborted and expired backups are nobody's, and keep nothing", "[retention][plan]") {
    ArchiveView archive = daily(3);
    archive.backups[2].state = BackupState::aborted;
    archive.backups[0].state = BackupState::expired;
    const Plan plan = make_plan(one_tier(Period::day, 3), archive);
    CHECK(kept_ids(plan) == "b01 ");
    CHECK(wal_text(plan) == "-1:1-19 +1:20-40 ");
}

TEST_CASE("without a backup no WAL goes", "[retention][plan]") {
    ArchiveView archive;
    archive.runs[1] = {{.first = 1, .last = 100}};
    const Plan plan = make_plan(one_tier(Period::day, 3), archive);
    CHECK(wal_text(plan) == "+1:1-100 ");
    CHECK(plan.segments_to_expire() == 0);
}

TEST_CASE("a branch keeps the part of its ancestor that leads to it", "[retention][plan]") {
    ArchiveView archive = daily(4);  // backups in 10, 20, 30, 40; WAL of timeline 1 to 50
    // Timeline 2 left timeline 1 in segment 25; backup 1 (segment 20) lies on its line.
    const std::string text = "1\t0/19000100\tno reason\n";
    archive.histories.emplace(2, *wal::parse_timeline_history(as_bytes(text), 2).history);
    archive.runs[2] = {{.first = 25, .last = 60}};
    // Backup 3 alone stays: timeline 2 cannot be reached any more.
    CHECK(wal_text(make_plan(one_tier(Period::day, 1), archive)) == "-1:1-39 +1:40-50 -2:25-60 ");
    // With a pin on backup 1 both lines stay.
    archive.backups[1].pin = "";
    CHECK(wal_text(make_plan(one_tier(Period::day, 1), archive)) == "-1:1-19 +1:20-50 +2:25-60 ");
}

TEST_CASE("whatever a random archive and policy are, what stays can be restored as before",
          "[retention][plan]") {
    const auto seed = std::random_device()();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto pick = [&](std::uint32_t below) {
        return static_cast<std::uint32_t>(random() % below);
    };
    for (int round = 0; round < 300; ++round) {
        ArchiveView archive = daily(3 + pick(20));
        for (BackupView& backup : archive.backups) {
            backup.is_damaged = pick(5) == 0;
            if (pick(9) == 0) backup.state = BackupState::running;
            if (pick(9) == 0) backup.pin = "";
        }
        if (pick(2) == 0) {
            const std::uint64_t hole = 1 + pick(60);
            archive.runs[1] = {{.first = 1, .last = hole}, {.first = hole + 2, .last = 400}};
        }
        Policy policy = one_tier(static_cast<Period>(pick(5)), 1 + pick(9),
                                 pick(2) == 0 ? WalKept::all : WalKept::consistency);
        policy.minimum = pick(4);
        const Plan plan = make_plan(policy, archive);
        // Every kept backup still opens what it opened before, as far as its tier promises.
        catalog::RunsByTimeline kept_runs;
        std::uint64_t covered = 0;
        for (const WalVerdict& verdict : plan.wal) {
            covered += verdict.segments.count();
            if (verdict.is_kept) kept_runs[verdict.timeline].push_back(verdict.segments);
        }
        std::uint64_t stored = 0;
        for (const auto& run : archive.runs[1]) stored += run.count();
        CHECK(covered == stored);
        const auto kept = catalog::join_runs(kept_runs[1]);
        for (const BackupVerdict& verdict : plan.backups) {
            if (!verdict.is_kept) continue;
            const auto view = std::find_if(
                archive.backups.begin(), archive.backups.end(),
                [&](const BackupView& candidate) { return candidate.span.id == verdict.id; });
            const auto* old_run = catalog::find_run(
                archive.runs[1], wal::segment_number_of(view->span.start, archive.size));
            if (!old_run) continue;
            const auto* new_run =
                catalog::find_run(kept, wal::segment_number_of(view->span.start, archive.size));
            REQUIRE(new_run);
            if (verdict.keeps_all_wal) CHECK(new_run->last == old_run->last);
        }
    }
}

TEST_CASE("parse_keep counts periods", "[retention][policy]") {
    CHECK(parse_keep("5", Period::week) == 5);
    CHECK(parse_keep("30 days", Period::week) == 5);
    CHECK(parse_keep("30 days", Period::day) == 30);
    CHECK(parse_keep("12 months", Period::month) == 12);
    CHECK(parse_keep("1 year", Period::day) == 365);
    CHECK(parse_keep("1 day", Period::week) == 1);
    for (const char* bad : {"", "0", "0 days", "-1", "five", "5 fortnights", "5days", "5 days ",
                            "99999999999999999999"})
        CHECK(parse_keep(bad, Period::day) == std::nullopt);
}

TEST_CASE("weeks begin on Monday, and periods before 1970 ascend, too", "[retention][policy]") {
    CHECK(period_number(Period::week, monday) == period_number(Period::week, monday + 7 * day - 1));
    CHECK(period_number(Period::week, monday) == period_number(Period::week, monday - 1) + 1);
    CHECK(period_number(Period::day, -1) == -1);
    CHECK(period_number(Period::month, 0) + 1 == period_number(Period::month, 31 * day));
}

}  // namespace walden::retention
