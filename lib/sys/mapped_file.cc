#include "lib/sys/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "lib/sys/error.h"

namespace postern::sys {

Result<MappedFile> MappedFile::map(int fd, std::size_t size) {
    if (size == 0) return MappedFile();
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return system_error("map a file");
    return MappedFile(std::string_view(static_cast<const char*>(memory), size));
}

Result<MappedFile> MappedFile::copy(int fd, std::size_t size) {
    if (size == 0) return MappedFile();
    void* memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return system_error("memory for a file");
    char* const bytes = static_cast<char*>(memory);
    MappedFile out(std::string_view(bytes, size));
    for (std::size_t done = 0; done < size;) {
        const ssize_t n = ::pread(fd, bytes + done, size - done, static_cast<off_t>(done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_error("read a file");
        if (n == 0) return Error{Errc::corrupt, "a file became shorter while it was read", 0};
        done += static_cast<std::size_t>(n);
    }
    return out;
}

// A wish: the kernel need not follow it.
void MappedFile::read_around(bool on) const {
    if (!bytes_.empty())
        ::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), on ? MADV_NORMAL : MADV_RANDOM);
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace postern::sys
