// The servers that tests/e2e/test_backup_server.py has started, by its environment variables.
#pragma once

#include "base/error.h"

#include <cstdlib>
#include <string>
#include <vector>

namespace walden::test {

inline std::string from_environment(const char* name) {
    const char* const value = std::getenv(name);
    if (value == nullptr)
        throw Error(ErrorKind::usage,
                    std::string(name) + " is not set; run tests/e2e/test_backup_server.py");
    return value;
}

inline std::string primary_conninfo() {
    return from_environment("WALDEN_TEST_PRIMARY");
}

inline std::string primary_data() {
    return from_environment("WALDEN_TEST_PRIMARY_DATA");
}

/// Where the one tablespace of the primary lies.
inline std::string tablespace_location() {
    return from_environment("WALDEN_TEST_TABLESPACE");
}

/// The primary of the standby.
inline std::string upstream_conninfo() {
    return from_environment("WALDEN_TEST_UPSTREAM");
}

inline std::string standby_conninfo() {
    return from_environment("WALDEN_TEST_STANDBY");
}

inline std::string standby_data() {
    return from_environment("WALDEN_TEST_STANDBY_DATA");
}

/// The primary behind the two sorts of tests/support/lending_pooler.py.
inline std::vector<std::string> pooler_conninfos() {
    return {from_environment("WALDEN_TEST_POOLER_LENDS"),
            from_environment("WALDEN_TEST_POOLER_NAMES")};
}

}  // namespace walden::test
