// PrivatePlace: where a user keeps his own part of a folder of others' (doc/decisions/
// shared-folders.md): in his own Maildir, in files named after the namespace and the folder's
// UIDVALIDITY, which stays when a folder is renamed.
//   postern.seen/Other.ann.17            what he has seen (private_seen.h)
//   postern.seen/Other.ann.17.metadata   what he noted
//   postern.seen/Other.ann.17.urlauth    the key of his URLs
//   postern.seen/Other.ann.17.index/     words of the messages, for his searches
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

struct PrivatePlace {
    static constexpr std::string_view kSeen = "", kMetadata = ".metadata", kUrlKey = ".urlauth",
                                      kTextIndex = ".index";

    sys::Fs* fs = nullptr;
    std::string folder;      // "/home/bob/Maildir/postern.seen"
    std::string name_space;  // "Other.ann"

    std::string file(std::uint32_t uid_validity, std::string_view which) const;
    // The folder, and below it the one that `which` stands for, where they are missing.
    Result<void> make() const;
    Result<void> make(std::uint32_t uid_validity, std::string_view which) const;
};

// How files of one folder begin.
std::string private_group(std::string_view name_space, std::uint32_t uid_validity);

// Once a day: removes what belongs to folders that are gone for good. That is not at once: a share
// that is taken back by mistake, or whose disk is away, comes again. A folder that was not to be
// seen gets a mark, which goes when the folder is back; it is forgotten when the mark has become 30
// days old.
Result<void> forget_absent(sys::Fs& fs, const Clock& clock, const std::string& folder,
                           const std::function<bool(const std::string& group)>& is_there);

// Takes away all keys of URLs, whether their folders are to be seen or not.
Result<void> remove_private_url_keys(sys::Fs& fs, const std::string& folder);

}  // namespace postern::mailbox
