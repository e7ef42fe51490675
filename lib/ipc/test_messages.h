// Every message that goes between programs, for tests that hold for all of them.
#pragma once

#include <gtest/gtest.h>

#include "lib/ipc/messages/anvil.h"
#include "lib/ipc/messages/auth.h"
#include "lib/ipc/messages/bounce.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/ipc/messages/control.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/ipc/messages/login.h"
#include "lib/ipc/messages/milter.h"
#include "lib/ipc/messages/peername.h"
#include "lib/ipc/messages/policy.h"
#include "lib/ipc/messages/queue.h"
#include "lib/ipc/messages/quota.h"
#include "lib/ipc/messages/route.h"
#include "lib/ipc/messages/verify.h"

namespace postern::ipc {

using AllMessages = testing::Types<
    Wakeup, Status, Control, ListingRequest, Listing, PolicyQuestion, PolicyAnswer, NameQuestion,
    NameAnswer, ResolveRequest, ResolveAnswer, ExpandRequest, ExpandAnswer, HeaderRequest, HeaderAnswer, SubmitOpen,
    SubmitOpened, SubmitRecipients, SubmitEnd, SubmitResult, MilterEvent, MilterAnswer, QueueNudge,
    QueueControl, QueueControlAnswer, QueueListRequest, QueueListEntry, QueueListEnd,
    DeliverRequest, DeliverReport, BounceAppend, BounceSend, BounceForget, PostmasterNotice, BounceDone, AuthRequest,
    AuthResponse, AuthAnswer, RedeemToken, Grant, UserRequest, UserAnswer, QuotaQuestion, QuotaAnswer, Handoff, HandoffAnswer,
    Hibernate, HibernateAnswer, AnvilQuestion, AnvilAnswer, ClientQuestion, ClientTraits,
    MapQuestion, MapAnswer, VerifyQuestion, VerifyAnswer, VerifyUpdate, VerifyUpdated>;

}  // namespace postern::ipc
