#include "archive/ready_queue.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::archive;

namespace {

const std::string first = "000000010000000000000005";
const std::string second = "000000010000000000000006";
const std::string history = "00000002.history";

FileVersion version(std::uint64_t inode) {
    return {.file = {.device = 1, .inode = inode}, .stamp = {}};
}

bool all_exist(const std::string&) {
    return true;
}

/// A queue in which somebody has asked for `first`, and that has been looked at.
ReadyQueue asked_queue(const std::vector<std::string>& ready) {
    ReadyQueue queue(4);
    CHECK_FALSE(queue.note_question(first, version(1)));
    CHECK(queue.begin_listing());
    queue.take_ready(ready);
    return queue;
}

}  // namespace

TEST_CASE("without a question nothing is begun", "[archive][queue]") {
    ReadyQueue queue(4);
    CHECK_FALSE(queue.has_work());
    CHECK_FALSE(queue.begin_listing());
    CHECK_FALSE(queue.begin_next(all_exist));
}

TEST_CASE("what somebody waits for comes before what is ready", "[archive][queue]") {
    ReadyQueue queue = asked_queue({history, first, second});
    const auto asker = queue.wait_for(second, version(2));
    CHECK(queue.begin_next(all_exist) == second);
    CHECK(queue.begin_next(all_exist) == history);
    CHECK(queue.begin_next(all_exist) == first);
    CHECK_FALSE(queue.begin_next(all_exist));
    CHECK(queue.running_count() == 3);
    CHECK_FALSE(asker->answer);
}

TEST_CASE("who asks for a file that is done is answered, for another version he is not",
          "[archive][queue]") {
    ReadyQueue queue = asked_queue({first});
    CHECK(queue.begin_next(all_exist) == first);
    queue.note_archived(first, version(1), {.warnings = {"w"}});
    REQUIRE(queue.note_question(first, version(1)));
    CHECK(queue.note_question(first, version(1))->warnings.front() == "w");
    CHECK_FALSE(queue.note_question(first, version(9)));
    CHECK_FALSE(queue.is_done(first));
}

TEST_CASE("a file that changed before it was read is not the one that was asked for",
          "[archive][queue]") {
    ReadyQueue queue = asked_queue({first});
    const auto asker = queue.wait_for(first, version(1));
    CHECK(queue.begin_next(all_exist) == first);
    queue.note_archived(first, version(2), {});
    REQUIRE(asker->answer);
    CHECK(std::holds_alternative<OtherFile>(*asker->answer));
}

TEST_CASE("behind a failure nothing is begun before all is out", "[archive][queue]") {
    ReadyQueue queue = asked_queue({first, second});
    CHECK(queue.begin_next(all_exist) == first);
    CHECK(queue.begin_next(all_exist) == second);
    const auto asker = queue.wait_for(second, version(2));
    queue.note_failed(first, Error(ErrorKind::unavailable, "no"));
    CHECK_FALSE(queue.has_work());
    queue.note_stopped(second);
    REQUIRE(queue.has_work());
    CHECK(queue.begin_again());
    CHECK_FALSE(queue.begin_again());
    // Who asked for what was stopped has it tried again; nobody else.
    CHECK(queue.begin_next(all_exist) == second);
    CHECK_FALSE(queue.begin_next(all_exist));
    CHECK_FALSE(asker->answer);
}

TEST_CASE("a failure that concerns all answers all", "[archive][queue]") {
    ReadyQueue queue(4);
    const auto one = queue.wait_for(first, version(1));
    const auto two = queue.wait_for(second, version(2));
    queue.fail_all(Error(ErrorKind::denied, "no"));
    CHECK(std::get<Error>(*one->answer).kind() == ErrorKind::denied);
    CHECK(std::get<Error>(*two->answer).kind() == ErrorKind::denied);
    CHECK_FALSE(queue.is_awaited());
}

TEST_CASE("looking ahead ends when nothing is new, and when it is told to", "[archive][queue]") {
    ReadyQueue queue = asked_queue({});
    CHECK_FALSE(queue.has_work());
    queue.stop_looking_ahead();
    CHECK_FALSE(queue.note_question(first, version(1)));
    CHECK_FALSE(queue.has_work());
    // Who asks is still served.
    const auto asker = queue.wait_for(first, version(1));
    CHECK(queue.has_work());
    queue.forget(asker);
    CHECK_FALSE(queue.has_work());
}
