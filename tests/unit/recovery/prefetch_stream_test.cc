#include "recovery/prefetch_stream.h"

#include "support/scratch_directory.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace walden;
using namespace walden::recovery;
using Outcome = JobResult::Outcome;
using JobPointer = PrefetchStream::JobPointer;

namespace {

constexpr wal::SegmentSize size = *wal::SegmentSize::from_bytes(1 << 20);
constexpr std::size_t depth_max = 6;

/// A stream whose server was given segment 10 of timeline 1, and a clock.
struct Followed {
    PrefetchStream stream{size, depth_max};
    PrefetchStream::Time now{std::chrono::hours(1)};
    testing::ScratchDirectory scratch{};

    Followed() { deliver(10, Origin::fetched); }

    void deliver(std::uint64_t number, Origin origin) {
        const wal::SegmentName segment{1, number};
        stream.note_question(to_string(segment, size), now);
        if (const auto job = stream.find(to_string(segment, size))) stream.remove(job);
        stream.note_delivery(segment, origin, now);
    }

    void end(const JobPointer& job, Outcome outcome) {
        job->result = JobResult{.outcome = outcome, .segment_size = size};
        if (outcome == Outcome::ready)
            job->result->file = std::make_shared<NamelessFile>(scratch.path(), Bytes(100));
        job->ended_at = now;
        stream.note_end(*job, std::chrono::milliseconds(1));
    }

    /// Begins all that there is to begin.
    std::vector<JobPointer> begin_all() {
        std::vector<JobPointer> jobs;
        while (auto job = stream.begin_next()) jobs.push_back(job);
        return jobs;
    }

    [[nodiscard]] std::size_t depth() const { return stream.pace().depth(depth_max); }

    [[nodiscard]] PrefetchStatus status() const {
        PrefetchStatus status;
        status.replay_us = 7;
        stream.describe(status);
        return status;
    }
};

std::vector<std::uint64_t> numbers_of(const std::vector<JobPointer>& jobs) {
    std::vector<std::uint64_t> numbers;
    for (const auto& job : jobs) numbers.push_back(job->segment->segment_number);
    return numbers;
}

}  // namespace

TEST_CASE("a stream begins with the first segment that was delivered", "[prefetch]") {
    PrefetchStream stream(size, depth_max);
    CHECK(stream.begin_next() == nullptr);
    CHECK(stream.begin_survey({}) == nullptr);
    CHECK(stream.drop_what_is_over({}) == 0);
    stream.note_delivery({1, 10}, Origin::fetched, {});
    const auto job = stream.begin_next();
    REQUIRE(job != nullptr);
    CHECK(job->segment == wal::SegmentName{1, 11});
}

TEST_CASE("the line is guessed once by a stream that was not told it", "[prefetch]") {
    PrefetchStream nothing(size, depth_max);
    CHECK(nothing.begin_guess() == nullptr);
    const auto history = *wal::parse_timeline_history(as_bytes("1\t0/C00028\tx\n"), 2).history;

    SECTION("told by a history") {
        nothing.note_history(history);
        nothing.note_delivery({1, 10}, Origin::fetched, {});
        CHECK(nothing.begin_guess() == nullptr);
    }
    SECTION("not told") {
        Followed followed;
        const auto guess = followed.stream.begin_guess();
        REQUIRE(guess != nullptr);
        CHECK(guess->purpose == Purpose::line);
        CHECK(guess->segment == wal::SegmentName{1, 10});
        CHECK(followed.stream.begin_guess() == nullptr);
        // The archive's end is that of the line, so it is looked for afterwards.
        CHECK(followed.stream.begin_survey(followed.now) == nullptr);

        guess->result = JobResult{.outcome = Outcome::ready, .history = history};
        followed.stream.note_end(*guess, std::chrono::milliseconds(1));
        followed.deliver(11, Origin::fetched);
        const auto job = followed.stream.begin_next();
        REQUIRE(job != nullptr);
        CHECK(job->segment == wal::SegmentName{2, 12});
        CHECK(followed.stream.begin_guess() == nullptr);
        const auto survey = followed.stream.begin_survey(followed.now);
        REQUIRE(survey != nullptr);
        CHECK(survey->line->timeline() == 2);
    }
    SECTION("guessing has failed, or was for another stream") {
        Followed followed;
        const auto guess = followed.stream.begin_guess();
        guess->result = JobResult{.outcome = Outcome::failed};
        followed.stream.note_end(*guess, std::chrono::milliseconds(1));
        const PrefetchJob foreign{
            .purpose = Purpose::line,
            .result = JobResult{.outcome = Outcome::ready, .history = history}};
        followed.stream.note_end(foreign, std::chrono::milliseconds(1));
        followed.deliver(11, Origin::fetched);
        CHECK(followed.stream.begin_next()->segment == wal::SegmentName{1, 12});
        CHECK(followed.stream.begin_survey(followed.now) != nullptr);
    }
}

TEST_CASE("each segment in reach is begun once, in order", "[prefetch]") {
    Followed followed;
    const auto jobs = followed.begin_all();
    REQUIRE(jobs.size() == followed.depth());
    for (std::size_t i = 0; i < jobs.size(); ++i)
        CHECK(jobs[i]->segment == wal::SegmentName{1, 11 + i});
    CHECK(followed.stream.begin_next() == nullptr);

    // Misses make it deeper, up to the most, when both sides have been measured.
    followed.end(jobs[0], Outcome::ready);
    std::uint64_t last = 10;
    while (followed.depth() < depth_max && last < 30) followed.deliver(++last, Origin::awaited);
    static_cast<void>(followed.stream.drop_what_is_over(followed.now));
    static_cast<void>(followed.begin_all());
    CHECK(followed.depth() == depth_max);
    for (std::uint64_t number = last + 1; number <= last + depth_max; ++number)
        CHECK(followed.stream.find(to_string(wal::SegmentName{1, number}, size)) != nullptr);
    CHECK(followed.stream.find(to_string(wal::SegmentName{1, last + depth_max + 1}, size)) ==
          nullptr);
}

TEST_CASE("behind what is absent, or has failed, nothing is tried for a second", "[prefetch]") {
    const auto outcome = GENERATE(Outcome::absent, Outcome::failed);
    Followed followed;
    const auto first = followed.stream.begin_next();
    REQUIRE(followed.depth() >= 2);
    const auto second = followed.stream.begin_next();
    followed.end(first, Outcome::ready);
    followed.end(second, outcome);
    CHECK(followed.begin_all().empty());
    // The server asks again for what it has.
    followed.deliver(10, Origin::fetched);
    static_cast<void>(followed.stream.drop_what_is_over(followed.now));
    CHECK(followed.begin_all().empty());
    followed.now += PrefetchStream::marker_lifetime;
    static_cast<void>(followed.stream.drop_what_is_over(followed.now));
    CHECK(numbers_of(followed.begin_all()).front() == 12);
}

TEST_CASE("what comes next is tried again at once when the server was given a segment",
          "[prefetch]") {
    Followed followed;
    followed.end(followed.stream.begin_next(), Outcome::absent);
    followed.deliver(10, Origin::fetched);
    CHECK(followed.stream.drop_what_is_over(followed.now) == 0);
    CHECK(numbers_of(followed.begin_all()).front() == 11);
}

TEST_CASE("what the server has passed, or leaves, is dropped and counted when it was ready",
          "[prefetch]") {
    Followed followed;
    const auto jobs = followed.begin_all();
    REQUIRE(jobs.size() >= 2);
    followed.end(jobs[0], Outcome::ready);
    CHECK(followed.stream.ready_count() == 1);
    CHECK(followed.status().ready_size == 100);
    followed.deliver(10, Origin::fetched);
    CHECK(followed.stream.drop_what_is_over(followed.now) == 0);

    SECTION("it goes far ahead") {
        followed.deliver(100, Origin::fetched);
    }
    SECTION("it goes back") {
        followed.deliver(1, Origin::fetched);
    }
    SECTION("it follows another timeline") {
        followed.stream.note_question(to_string(wal::SegmentName{5, 10}, size), followed.now);
        followed.stream.note_delivery({5, 10}, Origin::fetched, followed.now);
    }
    CHECK(followed.stream.drop_what_is_over(followed.now) == 1);
    CHECK(followed.stream.ready_count() == 0);
    for (const auto& job : jobs) CHECK(followed.stream.find(job->name) == nullptr);
}

TEST_CASE("a file that was taken is not another's of the same name", "[prefetch]") {
    Followed followed;
    const auto first = followed.stream.begin_next();
    followed.stream.remove(first);
    const auto second = followed.stream.begin_next();
    REQUIRE(second != first);
    REQUIRE(second->name == first->name);
    followed.stream.remove(first);
    CHECK(followed.stream.find(second->name) == second);
}

TEST_CASE("the archive's end is looked for again when it was reached, and not often",
          "[prefetch]") {
    Followed followed;
    const auto survey = followed.stream.begin_survey(followed.now);
    REQUIRE(survey != nullptr);
    CHECK(survey->purpose == Purpose::survey);
    CHECK(survey->segment == wal::SegmentName{1, 10});
    REQUIRE(survey->line.has_value());
    CHECK(survey->line->timeline() == 1);
    CHECK(followed.status().last_in_archive.empty());

    survey->result = JobResult{.outcome = Outcome::ready, .newest = wal::SegmentName{1, 12}};
    followed.stream.note_end(*survey, std::chrono::milliseconds(1));
    CHECK(followed.status().last_in_archive == to_string(wal::SegmentName{1, 12}, size));
    CHECK(followed.status().remaining_count == 2);
    CHECK(followed.status().remaining_us == 14);

    followed.now += PrefetchStream::survey_distance;
    CHECK(followed.stream.begin_survey(followed.now) == nullptr);
    followed.deliver(12, Origin::fetched);
    CHECK(followed.status().remaining_count == 0);
    CHECK(followed.stream.begin_survey(followed.now) != nullptr);
    followed.deliver(13, Origin::fetched);
    CHECK(followed.stream.begin_survey(followed.now) == nullptr);
}
