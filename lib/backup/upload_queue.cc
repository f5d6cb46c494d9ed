#include "backup/upload_queue.h"

#include "base/parallel.h"

namespace walden::backup {

UploadQueue::UploadQueue(vault::ObjectStorage& storage, std::size_t in_flight_max)
    : storage_(storage), in_flight_max_(in_flight_max) {
    for (std::size_t i = 0; i < in_flight_max; ++i) {
        auto thread = start_thread([this] { run(); });
        if (!thread) break;
        threads_.push_back(std::move(*thread));
    }
}

UploadQueue::~UploadQueue() {
    {
        const std::lock_guard lock(mutex_);
        is_over_ = true;
        in_flight_ -= waiting_.size();
        waiting_.clear();
    }
    changed_.notify_all();
}

void UploadQueue::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return is_over_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        const Object object = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        std::exception_ptr failure;
        try {
            static_cast<void>(storage_.put_new(object.key, object.bytes));
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        --in_flight_;
        if (failure == nullptr)
            stored_bytes_ += object.bytes.size();
        else if (failure_ == nullptr)
            failure_ = failure;
        changed_.notify_all();
    }
}

void UploadQueue::put(std::string key, Bytes object) {
    std::unique_lock lock(mutex_);
    if (threads_.empty()) {  // the system gives no threads: slower, and not less
        static_cast<void>(storage_.put_new(key, object));
        stored_bytes_ += object.size();
        return;
    }
    changed_.wait(lock, [&] { return failure_ != nullptr || in_flight_ < in_flight_max_; });
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    ++in_flight_;
    waiting_.push_back({.key = std::move(key), .bytes = std::move(object)});
    changed_.notify_all();
}

void UploadQueue::finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failure_ != nullptr || in_flight_ == 0; });
    if (failure_ != nullptr) std::rethrow_exception(failure_);
}

std::uint64_t UploadQueue::stored_bytes() {
    const std::lock_guard lock(mutex_);
    return stored_bytes_;
}

}  // namespace walden::backup
