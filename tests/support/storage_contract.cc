#include "tests/support/storage_contract.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/parallel.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace walden::testing {

namespace {

using vault::ObjectInfo;
using vault::ObjectStorage;
using PutOutcome = ObjectStorage::PutOutcome;

/// Bytes that differ at every place and for every seed.
Bytes make_body(std::size_t size, std::uint32_t seed) {
    Bytes body(size);
    std::uint32_t state = seed * 2654435761U + 1;
    for (std::byte& b : body)
        b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
    return body;
}

Bytes get_existing(ObjectStorage& storage, const std::string& key) {
    Bytes out;
    REQUIRE(storage.get(key, out));
    return out;
}

std::vector<std::string> list_keys(ObjectStorage& storage, const std::string& prefix,
                                   const std::string& start_after = "") {
    std::vector<std::string> keys;
    storage.list(prefix, start_after, [&](const ObjectInfo& info) {
        keys.push_back(info.key);
        return true;
    });
    return keys;
}

bool is_usage_error(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.kind() == ErrorKind::usage;
    }
    return false;
}

void check_put_never_replaces(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    CHECK(storage.put_new("a/b", as_bytes("first")) == PutOutcome::created);
    CHECK(storage.put_new("a/b", as_bytes("second, longer")) == PutOutcome::already_present);
    CHECK(storage.put_new("a/b", {}) == PutOutcome::already_present);
    CHECK(as_text(get_existing(storage, "a/b")) == "first");
    CHECK(storage.stat("a/b")->size == 5);
}

void check_one_of_many_writers_wins(StorageFixture& fixture) {
    if (!fixture.is_fenced()) return;
    constexpr std::size_t thread_count = 16;
    for (int round = 0; round < 8; ++round) {
        const std::string key = format("race/{}/object", round);
        std::atomic<std::size_t> ready{0};
        std::vector<PutOutcome> outcomes(thread_count);
        for_each_index_in_parallel(thread_count, thread_count, [&](std::size_t i) {
            const Bytes body = make_body(10'000 + i, static_cast<std::uint32_t>(i));
            // A start together makes the race one; a thread that is late must not hang the rest.
            ++ready;
            for (int spins = 0; ready < thread_count && spins < 100'000; ++spins)
                std::this_thread::yield();
            outcomes[i] = fixture.storage().put_new(key, body);
        });
        const auto winner = std::find(outcomes.begin(), outcomes.end(), PutOutcome::created);
        REQUIRE(std::count(outcomes.begin(), outcomes.end(), PutOutcome::created) == 1);
        const auto index = static_cast<std::size_t>(winner - outcomes.begin());
        CHECK(equal(get_existing(fixture.storage(), key),
                    make_body(10'000 + index, static_cast<std::uint32_t>(index))));
    }
    CHECK(list_keys(fixture.storage(), "race/").size() == 8);
}

void check_readers_never_see_a_part(StorageFixture& fixture) {
    const std::size_t object_count = fixture.object_count() / 3;
    const auto key_of = [](std::size_t i) { return format("seen/{:05}", i); };
    const auto body_of = [](std::size_t i) {
        return make_body(1 + i * 37 % 20'000, static_cast<std::uint32_t>(i));
    };
    std::atomic<bool> is_done{false};
    std::size_t partial_count = 0, seen_count = 0;
    // Catch's macros are not for threads: the reader counts.
    std::jthread reader([&] {
        Bytes out;
        // Never ahead of the writer by more than one, so that each object is watched as it comes.
        for (std::size_t i = 0; i < object_count;) {
            const bool was_done = is_done;  // asked first: what is absent then is missing
            if (fixture.storage().get(key_of(i), out)) {
                ++seen_count;
                if (!equal(out, body_of(i))) ++partial_count;
                ++i;
            } else if (was_done) {
                return;
            }
        }
    });
    try {
        for (std::size_t i = 0; i < object_count; ++i)
            static_cast<void>(fixture.storage().put_new(key_of(i), body_of(i)));
    } catch (...) {
        is_done = true;
        throw;
    }
    is_done = true;
    reader.join();
    CHECK(seen_count == object_count);
    CHECK(partial_count == 0);
}

void check_empty_object(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    CHECK(storage.put_new("empty", {}) == PutOutcome::created);
    Bytes out = to_bytes(as_bytes("rest of an earlier read"));
    CHECK(storage.get("empty", out));
    CHECK(out.empty());
    out = to_bytes(as_bytes("again"));
    CHECK(storage.get_range("empty", 0, 10, out));
    CHECK(out.empty());
    CHECK(storage.stat("empty")->size == 0);
    CHECK(storage.put_new("empty", as_bytes("x")) == PutOutcome::already_present);
}

void check_largest_object(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    Bytes body = make_body(ObjectStorage::object_size_max, 7);
    CHECK(storage.put_new("big/one", body) == PutOutcome::created);
    Bytes out;
    CHECK(storage.get("big/one", out));
    CHECK(equal(out, body));
    CHECK(storage.get_range("big/one", body.size() - 3, 10, out));
    CHECK(equal(out, ByteView(body).last(3)));
    body.push_back(std::byte{0});
    CHECK(is_usage_error([&] { static_cast<void>(storage.put_new("big/two", body)); }));
    CHECK_FALSE(storage.stat("big/two").has_value());
}

void check_odd_keys(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    std::vector<std::string> keys = {
        "-",          "_",          "0",      "A",   "a.b",     "a-b", "-rf",
        "x/-/_/..z1", "x...",       "x/a..b", "x/y", "x.tmp.1", "X",   "1/2/3/4/5/6/7/8",
        "tmp",        "lost.found", "con",    "x-/y"};
    std::erase_if(keys, [](const std::string& key) { return !vault::is_valid_key(key); });
    std::string longest;
    while (longest.size() < ObjectStorage::key_size_max) {
        const std::size_t room = ObjectStorage::key_size_max - longest.size();
        if (!longest.empty() && room > 1) longest += '/';
        longest.append(std::min({room, fixture.component_size_max(), std::size_t{200}}), 'k');
    }
    longest.resize(ObjectStorage::key_size_max, 'k');
    REQUIRE(vault::is_valid_key(longest));
    keys.push_back(longest);
    for (const std::string& key : keys) {
        INFO(key);
        CHECK(storage.put_new(key, as_bytes(key)) == PutOutcome::created);
    }
    for (const std::string& key : keys) CHECK(as_text(get_existing(storage, key)) == key);
    std::sort(keys.begin(), keys.end());
    CHECK(list_keys(storage, "") == keys);
    storage.remove(keys);
    CHECK(list_keys(storage, "").empty());
}

void check_bad_keys(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    const std::vector<std::string> keys = {"",
                                           "/",
                                           "/a",
                                           "a/",
                                           "a//b",
                                           ".",
                                           "..",
                                           "../a",
                                           "a/../b",
                                           "a/.",
                                           ".a",
                                           "a/.b",
                                           "a b",
                                           "a\\b",
                                           "a\nb",
                                           "a:b",
                                           "\xC3\xA4",
                                           std::string("a\0b", 3),
                                           "a%2fb",
                                           "~",
                                           "a*",
                                           std::string(ObjectStorage::key_size_max + 1, 'k'),
                                           ".tmp.0.1.2.3"};
    Bytes out;
    for (const std::string& key : keys) {
        INFO(key);
        CHECK(is_usage_error([&] { static_cast<void>(storage.put_new(key, {})); }));
        CHECK(is_usage_error([&] { static_cast<void>(storage.get(key, out)); }));
        CHECK(is_usage_error([&] { static_cast<void>(storage.get_range(key, 0, 1, out)); }));
        CHECK(is_usage_error([&] { static_cast<void>(storage.stat(key)); }));
        CHECK(is_usage_error([&] { storage.remove(std::vector<std::string>{key}); }));
    }
    for (const char* prefix : {"/", "a//", "../", ".", "a/.", "a b"}) {
        INFO(prefix);
        CHECK(is_usage_error([&] { static_cast<void>(list_keys(storage, prefix)); }));
    }
    // One bad key among good ones spoils the call before it did anything.
    static_cast<void>(storage.put_new("good", {}));
    CHECK(is_usage_error([&] { storage.remove(std::vector<std::string>{"good", "../bad"}); }));
    CHECK(storage.stat("good").has_value());
    CHECK(list_keys(storage, "") == std::vector<std::string>{"good"});
}

/// Keys whose order is not the order of a naive walk: "d0" < "d0.x" < "d0/...".
std::map<std::string, std::size_t> fill_for_listing(StorageFixture& fixture) {
    std::map<std::string, std::size_t> sizes;
    for (std::size_t i = 0; i < fixture.object_count(); ++i) {
        const std::size_t group = i % 10;
        std::string key;
        switch (i / 10 % 4) {
            case 0: key = format("l/d{}.{}", group, i); break;
            case 1: key = format("l/d{}/f{}", group, i); break;
            case 2: key = format("l/d{}-{}", group, i); break;
            default: key = format("l/d{}/s{}/f{}.x", group, i % 7, i); break;
        }
        sizes[key] = i % 5;
    }
    std::vector<std::string> keys;
    for (const auto& [key, size] : sizes) keys.push_back(key);
    for_each_index_in_parallel(keys.size(), 8, [&](std::size_t i) {
        static_cast<void>(fixture.storage().put_new(keys[i], make_body(sizes.at(keys[i]), 1)));
    });
    return sizes;
}

void check_listing(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    const std::map<std::string, std::size_t> sizes = fill_for_listing(fixture);
    std::map<std::string, std::size_t> listed;
    std::vector<std::string> keys;
    storage.list("", "", [&](const ObjectInfo& info) {
        listed[info.key] = info.size;
        keys.push_back(info.key);
        return true;
    });
    CHECK(keys.size() == sizes.size());
    CHECK(std::is_sorted(keys.begin(), keys.end()));
    CHECK(listed == sizes);

    const auto expected = [&](const std::string& prefix, const std::string& start_after) {
        std::vector<std::string> wanted;
        for (const std::string& key : keys)
            if (key.starts_with(prefix) && key > start_after) wanted.push_back(key);
        return wanted;
    };
    for (const char* prefix : {"", "l", "l/", "l/d", "l/d3", "l/d3.", "l/d3/", "l/d3/s", "l/d3/s1/",
                               "l/d9/s6/f", "m", "l/d3/x/y", "l/zz/"})
        for (const std::string& start_after :
             {std::string(), std::string("l"), std::string("l/d3"), std::string("l/d3/"),
              std::string("l/d3/s"), keys.front(), keys[keys.size() / 2], keys.back(),
              std::string("~")}) {
            INFO(prefix << " after " << start_after);
            CHECK(list_keys(storage, prefix, start_after) == expected(prefix, start_after));
        }
    // A key is a prefix of itself, and the listing starts after, not at, start_after.
    CHECK(list_keys(storage, keys[5]).front() == keys[5]);
}

void check_listing_stops(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    for (const char* key : {"s/a", "s/b/c", "s/b/d", "s/e"})
        static_cast<void>(storage.put_new(key, {}));
    for (std::size_t wanted = 1; wanted <= 4; ++wanted) {
        std::size_t visited = 0;
        storage.list("s/", "", [&](const ObjectInfo&) { return ++visited < wanted; });
        CHECK(visited == wanted);
    }
    // An error of the visitor ends the listing and arrives as it is.
    std::size_t visited = 0;
    CHECK_THROWS_WITH(storage.list("s/", "",
                                   [&](const ObjectInfo&) -> bool {
                                       ++visited;
                                       throw Error(ErrorKind::unavailable, "from the visitor");
                                   }),
                      "from the visitor");
    CHECK(visited == 1);
    // A visitor may call the storage.
    storage.list("s/", "",
                 [&](const ObjectInfo& info) { return storage.stat(info.key).has_value(); });
}

void check_ranges(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    const Bytes body = make_body(1000, 3);
    static_cast<void>(storage.put_new("r", body));

    struct Range {
        std::uint64_t offset;
        std::size_t size, expected_size;
    };

    for (const Range range : {Range{0, 1000, 1000},
                              {0, 0, 0},
                              {0, 1, 1},
                              {999, 1, 1},
                              {999, 2, 1},
                              {1000, 1, 0},
                              {1001, 5, 0},
                              {500, 100, 100},
                              {0, 5000, 1000},
                              {~std::uint64_t{0}, 10, 0},
                              {~std::uint64_t{0} / 2, ~std::size_t{0}, 0},
                              {1, ~std::size_t{0}, 999}}) {
        INFO(range.offset << "+" << range.size);
        Bytes out = make_body(3, 9);
        REQUIRE(storage.get_range("r", range.offset, range.size, out));
        const std::size_t begin =
            static_cast<std::size_t>(std::min<std::uint64_t>(range.offset, body.size()));
        CHECK(equal(out, ByteView(body).subspan(begin, range.expected_size)));
    }
}

void check_absent(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    static_cast<void>(storage.put_new("there/x", as_bytes("x")));
    Bytes out;
    for (const char* key : {"nothing", "not/here", "there/y", "there/x/below", "theRe/x"}) {
        INFO(key);
        CHECK_FALSE(storage.get(key, out));
        CHECK_FALSE(storage.get_range(key, 0, 10, out));
        CHECK_FALSE(storage.stat(key).has_value());
    }
    CHECK(list_keys(storage, "nothing/").empty());
}

void check_remove(StorageFixture& fixture) {
    ObjectStorage& storage = fixture.storage();
    for (const char* key : {"d/a", "d/b", "e/a", "top"})
        static_cast<void>(storage.put_new(key, {}));
    storage.remove({});
    storage.remove(
        std::vector<std::string>{"d/a", "d/missing", "missing/dir/x", "top", "top", "e/a"});
    CHECK(list_keys(storage, "") == std::vector<std::string>{"d/b"});
    storage.remove(std::vector<std::string>{"d/a"});
    // What was removed can be stored anew, also below a directory that became empty.
    CHECK(storage.put_new("e/a", as_bytes("new")) == PutOutcome::created);
    CHECK(as_text(get_existing(storage, "e/a")) == "new");
}

struct Clause {
    const char* statement;
    void (*check)(StorageFixture&);
};

constexpr Clause clauses[] = {
    {"put_new never replaces an object", check_put_never_replaces},
    {"of 16 threads that put one key exactly one creates it (fault 20)",
     check_one_of_many_writers_wins},
    {"a reader sees the whole of an object or none of it", check_readers_never_see_a_part},
    {"an object may be empty", check_empty_object},
    {"an object may have 64 MiB and not a byte more", check_largest_object},
    {"every key that follows the rules works", check_odd_keys},
    {"every key that breaks the rules is a usage error", check_bad_keys},
    {"a listing is complete, in byte order, from any prefix and start", check_listing},
    {"a listing ends when its visitor says so or throws", check_listing_stops},
    {"a range read ends where the object ends", check_ranges},
    {"an absent object is an answer, not an error", check_absent},
    {"remove takes what is there and ignores what is not", check_remove},
};

}  // namespace

void check_storage_contract(const StorageFixtureFactory& make_fixture) {
    for (const Clause& clause : clauses) {
        DYNAMIC_SECTION(clause.statement) {
            const std::unique_ptr<StorageFixture> fixture = make_fixture();
            clause.check(*fixture);
        }
    }
}

}  // namespace walden::testing
