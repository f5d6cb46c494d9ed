#include "pg/relation_file.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::pg;

namespace {

constexpr const char* version_directory = "PG_15_202209061";

}  // namespace

TEST_CASE("the path of a relation file tells the relation, and the relation tells the path",
          "[pg][relation]") {
    struct Example {
        const char* path;
        RelationFile file;
    };

    for (const auto& [path, file] : std::initializer_list<Example>{
             {"base/5/16384", {1663, 5, 16384, Fork::main, 0}},
             {"base/5/16384.1", {1663, 5, 16384, Fork::main, 1}},
             {"base/5/16384_fsm", {1663, 5, 16384, Fork::fsm, 0}},
             {"base/5/16384_vm.32", {1663, 5, 16384, Fork::vm, 32}},
             {"base/4294967295/4294967295_init", {1663, 4294967295, 4294967295, Fork::init, 0}},
             {"global/1262", {1664, 0, 1262, Fork::main, 0}},
             {"global/1262_vm", {1664, 0, 1262, Fork::vm, 0}},
             {"pg_tblspc/16400/PG_15_202209061/5/16401.7", {16400, 5, 16401, Fork::main, 7}}}) {
        INFO(path);
        CHECK(parse_relation_path(path) == file);
        CHECK(to_path(file, version_directory) == path);
    }
}

TEST_CASE("what only looks like a relation is none (pitfall 19)", "[pg][relation]") {
    for (const char* path : {"pg_xact/0000",
                             "pg_multixact/offsets/0000",
                             "pg_subtrans/0001",
                             "pg_commit_ts/0000",
                             "base/5/PG_VERSION",
                             "base/5/pg_filenode.map",
                             "base/5/pg_internal.init",
                             "base/5/t3_16384",
                             "base/5/16384_fsm_vm",
                             "base/5/16384_",
                             "base/5/16384.",
                             "base/5/16384.0",
                             "base/5/016384",
                             "base/5/0",
                             "base/5/16384.1_fsm",
                             "base/5/16384.x",
                             "base/5/4294967296",
                             "base/5/+1",
                             "base/x/16384",
                             "base/16384",
                             "base/5/6/16384",
                             "base//16384",
                             "global/pg_control",
                             "global/5/1262",
                             "16384",
                             "pg_tblspc/16400/16401",
                             "pg_tblspc/16400/PG_15_202209061/16401",
                             "pg_tblspc/x/PG_15_202209061/5/16401",
                             "pg_tblspc/16400/other/5/16401",
                             "",
                             "base",
                             "base/",
                             "base/5/"}) {
        INFO(path);
        CHECK_FALSE(parse_relation_path(path).has_value());
    }
}

TEST_CASE("files of temporary tables are told by their names", "[pg][relation]") {
    for (const char* name : {"t3_16384", "t12_16384_fsm", "t3_16384.1", "t0_16384_vm.2"})
        CHECK(is_temporary_relation(name));
    for (const char* name : {"t3", "t_16384", "t3_", "t3_x", "tx_16384", "16384", "", "t3_16384x"})
        CHECK_FALSE(is_temporary_relation(name));
}
