/* The causal merge, its ports and its full lanes, for every schedule of a few messages.

   What the code does and where: PortCore (port_core.h: stamps, deferred tails, hold-back),
   Shard::Poll (shard.cc: publish, flush or spill, pass), BasicCausalMerge (causal_merge.h: look,
   deliver, release).
   One step holds at most one reading of what another thread writes (a tail, or that a ring has no
   room), what follows it on this thread alone, and one writing (a tail, or room given back) at its
   end. Others' steps in between would come to the same before or after it. Finding room is no such
   reading: room does not go away. Memory is sequentially consistent here; docs/memory_model.md says
   why release and acquire give the same.

   A message carries marks instead of lying in arrays. Stamps rise in a lane and in a port's
   hold-back, so the order there is the order of the stamps, and a lane's indices A and B (LaneReader's
   seen and tail) are marks of its messages.

   Sizes (-D): SHARDS (2 or 3), PORTS (outside ones, which read answers), MESSAGES in all (3 or 4),
   SLOTS of a lane, JUMP (how far the wall clock may be ahead of the logical one at a send).
   Faults (-D), each of which the check must find: NAIVE (no second look), CLOCK_IGNORED (a handler's
   sends do not rise above what it handles), TWO_DIRTY_LANES (tails deferred over several lanes),
   OVERTAKING (sends do not queue behind those held back), NO_SPILL (a shard that holds back makes no
   room for others). */

#ifndef SHARDS
#define SHARDS 3
#endif
#ifndef PORTS
#define PORTS 0
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef JUMP
#define JUMP 2
#endif
#define NODES (SHARDS + PORTS)
#define NEVER 255

/* Where a message is. */
#define NOWHERE 0
#define HELD 1    /* held back by its shard's port: its lane was full, or others were held back */
#define FILLED 2  /* in its lane, below `claimed` but not below `published` */
#define SHOWN 3   /* published */
#define SPILLED 4 /* moved out of the ring by its reader */
#define POPPED 5  /* delivered, its slot not yet given back */
#define DONE 6    /* delivered, or an answer that found its lane full: a dead letter */

typedef Message {
  byte place;
  byte from;
  byte to;
  byte stamp;
  byte past;  /* bit i: message i happened before this one */
  byte looks; /* 1: below B, 2: below A */
}
Message m[MESSAGES];
byte sent;          /* m[0 .. sent) exist */
byte clock[NODES];  /* P1 */
byte stuck[SHARDS]; /* whom the oldest message is for that this shard holds back, or NEVER */
byte known[NODES];  /* bit i: message i happened before whatever this node does next */

/* Used inside one step only. */
hidden byte i;
hidden byte j;
hidden byte n;
hidden byte best;
hidden byte least;
hidden byte found;

#define ALL(k) k : 0 .. MESSAGES - 1
#define IN_RING(k) (m[k].place == FILLED || m[k].place == SHOWN || m[k].place == POPPED)
#define WAITS_FOR(k, r) (m[k].to == (r) && (m[k].place == SHOWN || m[k].place == SPILLED))
#define FILLED_BY(k, p) (m[k].place == FILLED && m[k].from == (p))
#define SHOWN_TO(k, r) (m[k].to == (r) && m[k].place == SHOWN)
#ifdef NO_SPILL
#define RELIEVES(k, r) (WAITS_FOR(k, r) && m[k].looks < 2)
#else
#define RELIEVES(k, r) (WAITS_FOR(k, r) && (m[k].looks < 2 || m[k].place == SHOWN))
#endif

/* Over all messages, for guards. */
#if MESSAGES == 3
#define ANY(what, p) (what(0, p) || what(1, p) || what(2, p))
#elif MESSAGES == 4
#define ANY(what, p) (what(0, p) || what(1, p) || what(2, p) || what(3, p))
#endif

/* found := whether lane (w, r) has a free slot. */
inline FindRoom(w, r) {
  n = 0;
  for (ALL(i)) { n = n + (IN_RING(i) && m[i].from == (w) && m[i].to == (r)) }
  found = (n < SLOTS)
}

/* The same, for guards. */
#define HOLDS(k, w, r) (IN_RING(k) && m[k].from == (w) && m[k].to == (r))
#if MESSAGES == 3
#define HAS_ROOM(w, r) (HOLDS(0, w, r) + HOLDS(1, w, r) + HOLDS(2, w, r) < SLOTS)
#elif MESSAGES == 4
#define HAS_ROOM(w, r) (HOLDS(0, w, r) + HOLDS(1, w, r) + HOLDS(2, w, r) + HOLDS(3, w, r) < SLOTS)
#endif

/* Whether `p` has filled slots of another lane than that to `t` and not published them. */
#define OTHER(k, p, t) (FILLED_BY(k, p) && m[k].to != (t))
#ifdef TWO_DIRTY_LANES
#define ANY_DIRTY(p, t) false
#elif MESSAGES == 3
#define ANY_DIRTY(p, t) (OTHER(0, p, t) || OTHER(1, p, t) || OTHER(2, p, t))
#elif MESSAGES == 4
#define ANY_DIRTY(p, t) (OTHER(0, p, t) || OTHER(1, p, t) || OTHER(2, p, t) || OTHER(3, p, t))
#endif

/* What a shard finds to do when it polls. One that is stuck: its oldest message has room, or its
   lanes show something that it has not spilled and looked at twice. */
#define HAS_WORK(p) \
  (ANY(FILLED_BY, p) || (stuck[p] == NEVER && ANY(WAITS_FOR, p)) || \
   (stuck[p] != NEVER && (ANY(RELIEVES, p) || stuck[p] >= SHARDS || HAS_ROOM(p, stuck[p]))))
/* A shard also polls for nothing: it may be in the middle of a pass when something arrives. But not
   when nobody has work, so that all standing still is an end. */
#if SHARDS == 2
#define SOMEBODY_WORKS (HAS_WORK(0) || HAS_WORK(1))
#elif SHARDS == 3
#define SOMEBODY_WORKS (HAS_WORK(0) || HAS_WORK(1) || HAS_WORK(2))
#endif

/* best := the message that `p` has held back longest, or NEVER. */
inline FindHeld(p) {
  best = NEVER;
  least = NEVER;
  for (ALL(i)) {
    if
    :: m[i].place == HELD && m[i].from == (p) && m[i].stamp < least ->
       best = i;
       least = m[i].stamp
    :: else
    fi
  }
}

/* m[k] is over. What nothing depends on any more is cleared, so that states which differ in it alone
   are one. */
inline End(k) {
  m[k].place = DONE;
  m[k].from = 0;
  m[k].to = 0;
  m[k].stamp = 0;
  m[k].past = 0;
  m[k].looks = 0;
  for (ALL(j)) { m[j].past = m[j].past & ~(1 << (k)) }
  for (j : 0 .. NODES - 1) { known[j] = known[j] & ~(1 << (k)) };
  j = 0
}

/* PortCore::Publish: one store, for at most one lane has such slots (P2). */
inline ShowFilled(p) {
  for (ALL(i)) {
    if
    :: FILLED_BY(i, p) -> m[i].place = SHOWN
    :: else
    fi
  }
}
#ifdef TWO_DIRTY_LANES
inline Publish(p) {
  lane = 0;
  do
  :: lane < SHARDS ->
     d_step {
       for (ALL(i)) {
         if
         :: FILLED_BY(i, p) && m[i].to == lane -> m[i].place = SHOWN
         :: else
         fi
       }
       lane++
     }
  :: lane < SHARDS -> lane++ /* this lane's tail in another round */
  :: else -> lane = 0; break
  od
}
#define PublishOther(p, t) skip
#else
#define Publish(p) d_step { ShowFilled(p); found = false }
/* P2: before a slot of another lane is filled. */
inline PublishOther(p, t) {
  d_step {
    found = false;
    for (ALL(i)) { found = found || (FILLED_BY(i, p) && m[i].to != (t)) }
    if
    :: found -> ShowFilled(p)
    :: else
    fi;
    found = false
  }
}
#endif

/* PortCore::FillHeader (P1), and what the oracle notes of it. */
inline Fill(p, t, where) {
  clock[p] = clock[p] + 1 + ahead;
  m[sent].place = where;
  m[sent].from = p;
  m[sent].to = t;
  m[sent].stamp = clock[p];
  m[sent].past = known[p];
  known[p] = known[p] | (1 << sent);
  sent++
}

/* target and ahead := one of the nodes 0 .. all - 1, one of two times. */
inline Choose(all) {
  target = 0;
  do
  :: target + 1 < all -> target++
  :: break
  od;
  if
  :: ahead = 0
  :: JUMP > 0 -> ahead = JUMP
  fi
}

/* PortCore::SendWith and Reply of a shard: into the lane, or behind what is held back (P4). An
   answer is visible at once, and lost when its lane is full. */
inline Put(p) {
  FindHeld(p);
  FindRoom(p, target);
#ifdef OVERTAKING
  best = NEVER;
#endif
  if
  :: sent == MESSAGES /* others sent the last ones meanwhile */
  :: sent < MESSAGES && (best != NEVER || (!found && target < SHARDS)) ->
     Fill(p, target, HELD);
     if
     :: stuck[p] == NEVER -> stuck[p] = target
     :: else
     fi
  :: sent < MESSAGES && best == NEVER && found && target < SHARDS -> Fill(p, target, FILLED)
  :: sent < MESSAGES && best == NEVER && target >= SHARDS ->
     Fill(p, target, SHOWN);
     if
     :: !found -> End(sent - 1)
     :: else
     fi
  fi;
  target = 0;
  ahead = 0
}

/* PortCore::FlushOverflow: in order, until a lane has no room. */
inline Flush(p) {
  do
  :: stuck[p] != NEVER && !blocked ->
     PublishOther(p, stuck[p]);
     d_step {
       FindHeld(p);
       FindRoom(p, stuck[p]);
       if
       :: stuck[p] >= SHARDS && found -> m[best].place = SHOWN
       :: stuck[p] >= SHARDS && !found -> End(best)
       :: stuck[p] < SHARDS && found -> m[best].place = FILLED
       :: else -> blocked = true
       fi;
       FindHeld(p);
       stuck[p] = (best == NEVER -> NEVER : m[best].to)
     }
  :: else -> break
  od;
  blocked = false;
  Publish(p)
}

/* LaneReader::Look at the lane from `w`: one reading of its tail. */
inline LookAt(w, r) {
  for (ALL(i)) {
    if
    :: WAITS_FOR(i, r) && m[i].from == (w) ->
       if
       :: m[i].looks == 1 -> m[i].looks = 2
       :: m[i].looks == 0 ->
          news = true;
#ifdef NAIVE
          m[i].looks = 2
#else
          if
          :: (w) == (r) -> m[i].looks = 2
          :: else ->
             m[i].looks = 1;
             if
             :: m[i].stamp < bound -> bound = m[i].stamp
             :: else
             fi
          fi
#endif
       :: else
       fi
    :: else
    fi
  }
}
/* BasicCausalMerge::SpillAll. What stays in the ring stays for ever while this shard waits. */
inline SpillAll(r) {
  do
  :: lane < NODES ->
     d_step {
       LookAt(lane, r);
#ifndef NO_SPILL
       for (ALL(i)) {
         if
         :: m[i].place == SHOWN && m[i].to == (r) && m[i].from == lane && m[i].looks > 0 ->
            m[i].place = SPILLED
         :: else
         fi
       }
#endif
       lane++
     }
  :: lane < SHARDS -> lane++ /* this lane's tail in another round */
  :: else -> lane = 0; break
  od;
  bound = NEVER;
  news = false
}

/* best := what Pass() delivers next: below A, below the bound, least by (stamp, lane); or NEVER. */
inline FindNext(r) {
  best = NEVER;
  least = bound;
  for (ALL(i)) {
    if
    :: WAITS_FOR(i, r) && m[i].looks == 2 &&
       (m[i].stamp < least ||
        (best != NEVER && m[i].stamp == least && m[i].from < m[best].from)) ->
       best = i;
       least = m[i].stamp
    :: else
    fi
  }
}

/* Slots go back to a lane's producer when another lane has its turn, and at the pass's end. */
inline Release(r, but) {
  for (ALL(i)) {
    if
    :: m[i].place == POPPED && m[i].to == (r) && m[i].from != (but) -> End(i)
    :: else
    fi
  }
}

/* PortCore::Observe of m[best] (P1), and what the oracle notes of it. */
inline Learn(p) {
#ifndef CLOCK_IGNORED
  clock[p] = (clock[p] > m[best].stamp -> clock[p] : m[best].stamp);
#endif
  known[p] = known[p] | m[best].past | (1 << best)
}

/* found := whether slots of another lane than m[best]'s are to be given back before it is taken. */
inline FindFinished(r) {
  found = false;
  for (ALL(i)) {
    if
    :: best != NEVER && m[i].place == POPPED && m[i].to == (r) ->
       found = (found || m[i].from != m[best].from)
    :: else
    fi
  }
}

/* Takes m[best] and asserts what all of this is for: no message to this shard that happened before
   it is still on its way. */
inline Deliver(r) {
  for (ALL(i)) {
    assert(!((m[best].past >> i) & 1) || m[i].to != (r) || m[i].place >= POPPED)
  }
  Learn(r);
  if
  :: m[best].place == SPILLED -> End(best)
  :: else -> m[best].place = POPPED
  fi
}

proctype Shard(byte me) {
  byte target = 0;
  byte ahead = 0;
  byte lane = 0;
  byte bound = NEVER;
  bool news = false;
  bool blocked = false;
  bool handling = false;
  bool gave_back = false;

end_parked:
  atomic {
    if
    :: sent < MESSAGES -> handling = false; goto choose /* a task's or a timer's */
    :: stuck[me] == NEVER && (sent < MESSAGES || SOMEBODY_WORKS) -> Publish(me)
    :: stuck[me] != NEVER && HAS_WORK(me) ->
       Publish(me);
       goto flush
    fi
  }

look: /* BasicCausalMerge::Pass */
  do
  :: d_step { lane < NODES - 1 -> LookAt(lane, me); lane++ }
  :: lane == NODES - 1 -> break
  od;
  atomic {
    true;
    d_step { LookAt(lane, me); lane = 0 }
deliver:
    true;
    d_step {
      FindNext(me);
      FindFinished(me);
      if
      :: best != NEVER && found -> Release(me, m[best].from); gave_back = true
      :: best != NEVER && !found -> Deliver(me); handling = true
      :: else ->
         handling = false;
         /* Progress: what was seen before is held for what is new, and for nothing else. */
         for (ALL(i)) { assert(news || !WAITS_FOR(i, me) || m[i].looks == 0) }
      fi;
      best = 0
    }
    if
    :: gave_back -> goto another_lane
    :: !gave_back && !handling -> goto pass_ends
    :: else
    fi;
handle:
    if
    :: sent < MESSAGES ->
choose:
       Choose(NODES);
       if
       :: ANY_DIRTY(me, target) -> goto publish_first
       :: else
       fi;
claim:
       if
       :: stuck[me] == NEVER && !HAS_ROOM(me, target) -> goto claim_again
       :: else
       fi;
put:
       true;
       d_step { Put(me) }
       if
       :: handling -> goto handle
       :: else -> goto end_parked
       fi
    :: true
    fi;
    if
    :: stuck[me] == NEVER -> goto deliver
    :: true /* congested, or the batch is full */
    fi;
pass_ends:
    true;
    d_step { Release(me, NEVER); bound = NEVER; news = false; handling = false }
    goto end_parked
  }

/* Between these and what came before, others may act. */
another_lane:
  gave_back = false;
  goto deliver;
publish_first:
  skip;
  atomic { PublishOther(me, target); goto claim }
claim_again:
  skip;
  goto put;

flush:
  Flush(me);
  if
  :: stuck[me] == NEVER -> goto look
  :: else -> SpillAll(me); goto end_parked
  fi
}

/* An outside port: posts, publishes when it likes, reads answers when it has published. A full lane
   refuses: the message was never sent. */
proctype Port(byte me) {
  byte target = 0;
  byte ahead = 0;
#ifdef TWO_DIRTY_LANES
  byte lane = 0;
#endif

end_idle:
  do
  :: atomic { sent < MESSAGES -> Choose(SHARDS) }
     PublishOther(me, target);
     d_step {
       FindRoom(me, target);
       if
       :: found && sent < MESSAGES -> Fill(me, target, FILLED)
       :: else
       fi;
       target = 0;
       ahead = 0
     }
  :: ANY(FILLED_BY, me) -> Publish(me)
  :: !ANY(FILLED_BY, me) && ANY(SHOWN_TO, me) ->
     d_step {
       for (ALL(i)) {
         if
         :: SHOWN_TO(i, me) -> best = i
         :: else
         fi
       }
       Learn(me);
       End(best)
     }
  od
}

/* When nobody can go on: nothing is left over. */
proctype Last() {
  timeout;
  d_step {
    for (ALL(i)) { assert(i >= sent || m[i].place == DONE) };
    i = 0
  }
}

init {
  atomic {
    for (i : 0 .. SHARDS - 1) {
      stuck[i] = NEVER;
      run Shard(i)
    }
#if PORTS > 0
    for (i : SHARDS .. NODES - 1) { run Port(i) }
#endif
    run Last()
  }
}
