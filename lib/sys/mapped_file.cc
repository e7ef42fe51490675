#include "lib/sys/mapped_file.h"

#include <sys/mman.h>

#include "lib/sys/error.h"

namespace postern::sys {

Result<MappedFile> MappedFile::map(int fd, std::size_t size) {
    if (size == 0) return MappedFile();
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return system_error("map a file");
    return MappedFile(std::string_view(static_cast<const char*>(memory), size));
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
