#include "archive/prepare_gate.h"

#include <catch2/catch.hpp>

using namespace walden;
using archive::PrepareGate;

TEST_CASE("a place may use the threads of those that nobody has", "[archive][gate]") {
    PrepareGate gate(3, 100);
    PrepareGate::Admission first(gate, 0, 10);
    CHECK(first.thread_count() == 3);
    {
        PrepareGate::Admission second(gate, 1, 10);
        CHECK(first.thread_count() == 2);
        PrepareGate::Admission third(gate, 2, 10);
        CHECK(first.thread_count() == 1);
        CHECK(third.thread_count() == 1);
        second.leave_place();
        CHECK(first.thread_count() == 2);
    }
    CHECK(first.thread_count() == 3);
    CHECK(gate.memory_in_use() == 10);
}
