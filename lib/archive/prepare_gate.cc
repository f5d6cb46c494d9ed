#include "archive/prepare_gate.h"

#include <cassert>

namespace walden::archive {

void PrepareGate::admit(std::uint64_t ticket, std::size_t size) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
        // Those that come back are older, and go first.
        return next_ == ticket && waiting_.empty() && free_places_ > 0 &&
               (memory_in_use_ == 0 || memory_in_use_ + size <= memory_size_);
    });
    ++next_;
    --free_places_;
    memory_in_use_ += size;
    changed_.notify_all();
}

void PrepareGate::admit_again(std::uint64_t ticket) {
    std::unique_lock lock(mutex_);
    waiting_.insert(ticket);
    changed_.wait(lock, [&] { return *waiting_.begin() == ticket && free_places_ > 0; });
    waiting_.erase(ticket);
    --free_places_;
    changed_.notify_all();
}

std::size_t PrepareGate::memory_in_use() {
    const std::lock_guard lock(mutex_);
    return memory_in_use_;
}

PrepareGate::Admission::Admission(PrepareGate& gate, std::uint64_t ticket, std::size_t size)
    : gate_(gate), ticket_(ticket), size_(size) {
    gate_.admit(ticket_, size_);
    has_place_ = true;
}

PrepareGate::Admission::~Admission() {
    release();
}

void PrepareGate::Admission::leave_place() {
    const std::lock_guard lock(gate_.mutex_);
    if (!has_place_) return;
    has_place_ = false;
    ++gate_.free_places_;
    gate_.changed_.notify_all();
}

void PrepareGate::Admission::take_place() {
    assert(!has_place_);
    gate_.admit_again(ticket_);
    has_place_ = true;
}

std::size_t PrepareGate::Admission::thread_count() const {
    const std::lock_guard lock(gate_.mutex_);
    return 1 + gate_.free_places_;
}

void PrepareGate::Admission::shrink_to(std::size_t size) {
    const std::lock_guard lock(gate_.mutex_);
    if (size >= size_) return;
    gate_.memory_in_use_ -= size_ - size;
    size_ = size;
    gate_.changed_.notify_all();
}

void PrepareGate::Admission::release() {
    leave_place();
    shrink_to(0);
}

}  // namespace walden::archive
