// Who may prepare a file now: bounds the processor time and the memory of the pipeline.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>

namespace walden::archive {

/// Places for work on the processor, and a budget of bytes. Tickets 0, 1, 2 ... are admitted in
/// this order, each once: whoever holds bytes may wait for a lower ticket, which therefore must
/// have its own already. Safe from several threads.
class PrepareGate {
public:
    PrepareGate(std::size_t place_count, std::size_t memory_size)
        : free_places_(place_count), memory_size_(memory_size) {}

    /// A place and some bytes, given back by the destructor. One thread at a time.
    class Admission {
    public:
        /// Waits until all tickets before have been admitted, a place is free and `size` bytes are
        /// left; the bytes do not count if nobody else has any, or a large file would wait for
        /// ever.
        Admission(PrepareGate& gate, std::uint64_t ticket, std::size_t size);
        Admission(const Admission&) = delete;
        Admission& operator=(const Admission&) = delete;
        ~Admission();

        /// Gives back the place and keeps the bytes: before waiting for anything.
        void leave_place();

        /// Waits for a place again.
        void take_place();

        /// How many threads the place may use now: its own, and those of the places that nobody
        /// has.
        [[nodiscard]] std::size_t thread_count() const;

        /// Keeps only `size` bytes, no more than before.
        void shrink_to(std::size_t size);

        /// Gives back what is left.
        void release();

    private:
        PrepareGate& gate_;
        std::uint64_t ticket_;
        std::size_t size_ = 0;
        bool has_place_ = false;
    };

    /// Bytes handed out now.
    [[nodiscard]] std::size_t memory_in_use();

private:
    void admit(std::uint64_t ticket, std::size_t size);
    void admit_again(std::uint64_t ticket);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::uint64_t> waiting_;
    std::uint64_t next_ = 0;  ///< to be admitted
    std::size_t free_places_;
    std::size_t memory_size_;
    std::size_t memory_in_use_ = 0;
};

}  // namespace walden::archive
