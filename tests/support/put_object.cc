// Puts a file under a key of a directory store, for tests that trace, kill and fail system calls:
// the shortest way through PosixStorage::put_new.
//
//     put_object ROOT KEY FILE
//
// Prints "created" or "already present". Exits with 1 on any failure, 2 on wrong usage.
#include "base/error.h"
#include "base/file.h"
#include "storage/posix/posix_storage.h"

#include <cstdio>
#include <exception>
#include <optional>

int main(int argc, char** argv) {
    using walden::storage::PosixStorage;
    if (argc != 4) {
        std::fputs("usage: put_object ROOT KEY FILE\n", stderr);
        return 2;
    }
    try {
        const std::optional<walden::Bytes> body =
            walden::read_file(argv[3], walden::vault::ObjectStorage::object_size_max);
        if (!body) throw walden::Error(walden::ErrorKind::not_found, "no such input file");
        PosixStorage storage(argv[1]);
        const bool is_new = storage.put_new(argv[2], *body) == PosixStorage::PutOutcome::created;
        std::puts(is_new ? "created" : "already present");
        return 0;
    } catch (const walden::Error& error) {
        std::fprintf(stderr, "put_object: error: %s\n", error.what());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "put_object: error: %s\n", error.what());
    }
    return 1;
}
