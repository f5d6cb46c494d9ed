// Puts a file under a key of a directory store, for tests that trace, kill and fail system calls:
// the shortest way through PosixStorage::put_new.
//
//     put_object ROOT KEY FILE [retry]
//
// Prints "created" or "already present". Exits with 1 on any failure, 2 on wrong usage. With
// "retry" a failure that may pass is tried again, at once.
#include "base/error.h"
#include "base/file.h"
#include "storage/posix/posix_storage.h"
#include "storage/wrappers/retrying_storage.h"

#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <string_view>

int main(int argc, char** argv) {
    using walden::storage::PosixStorage;
    const bool is_retrying = argc == 5 && std::string_view(argv[4]) == "retry";
    if (argc != 4 && !is_retrying) {
        std::fputs("usage: put_object ROOT KEY FILE [retry]\n", stderr);
        return 2;
    }
    try {
        const std::optional<walden::Bytes> body =
            walden::read_file(argv[3], walden::vault::ObjectStorage::object_size_max);
        if (!body) throw walden::Error(walden::ErrorKind::not_found, "no such input file");
        PosixStorage posix(argv[1]);
        walden::storage::RetryOptions options;
        options.attempt_count_max = is_retrying ? 3 : 1;
        options.delay_cap = std::chrono::milliseconds(0);
        walden::storage::RetryingStorage storage(posix, options);
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
