// SPDX-License-Identifier: Apache-2.0
/*
 * The obligations and the facts, as data: what is asked, in both languages, and the conditions that answer it.
 */
#include "evidence/verdict.h"

const struct verdict_fact_info verdict_facts[FACTS] = {
#define FACT(id, key, unit, en, ja) [FACT_##id] = {key, VERDICT_##unit, {en, ja}},
#include "evidence/facts.def"
#undef FACT
};

#define AT_MOST(fact, bound)                                                                       \
	{                                                                                          \
		CONDITION_AT_MOST, FACT_##fact, bound                                              \
	}
#define AT_LEAST(fact, bound)                                                                      \
	{                                                                                          \
		CONDITION_AT_LEAST, FACT_##fact, bound                                             \
	}
#define TOLD(fact)                                                                                 \
	{                                                                                          \
		CONDITION_TOLD, FACT_##fact, 0                                                     \
	}

const struct obligation obligations[OBLIGATIONS] = {
	{
		"window_watched",
		true,
		{"The whole time was watched", "対象時間の全体を監視した"},
		{"Was every second of the time judged watched, and were packets seen at all?",
		 "判定対象の時間を一秒も欠かさず監視し、実際にパケットを観測したか。"},
		{"Judge only the time that was watched (--span), or run again without a stop.",
		 "監視した時間だけを判定対象にする（--span）か、途切れなく再実行してください。"},
		{AT_LEAST(SPAN_S, 1), AT_MOST(UNWATCHED_S, 0), AT_LEAST(PACKETS, 1)},
	},
	{
		"all_interfaces",
		true,
		{"All interfaces were watched", "すべてのインターフェースを監視した"},
		{"Did no packet pass an interface that was not captured, loopback apart?",
		 "監視していないインターフェースを（ループバックを除き）パケットが通らなかったか"
		 "。"},
		{"Run the sensor with -i for each interface of the machine.",
		 "マシンのすべてのインターフェースを -i で指定してセンサーを実行してください。"},
		{AT_LEAST(INTERFACES, 1), AT_MOST(INTERFACES_UNWATCHED, 0)},
	},
	{
		"no_loss",
		true,
		{"No loss of packets was found", "パケットの損失は見つかっていない"},
		{"Is every frame accounted for, was none dropped by kernel or card, did the "
		 "capture see every canary "
		 "packet (3 at least), and was nothing found that may blind it or pass it by?",
		 "すべてのフレームの行方が説明でき、カーネルもカードも破棄せず、カナリアパケット（3"
		 " "
		 "個以上）をすべてキャプチャが捉え、目隠しや迂回となり得るものが見つからなかったか"
		 "。"},
		{"Give the sensor a canary port (--canary) and a larger capture ring, as root; "
		 "look at "
		 "what it found (`flowproof findings`).",
		 "センサーにカナリアポート（--canary）と大きめのキャプチャリングを与え、root "
		 "で実行し、検出されたもの（`flowproof findings`）を確認してください。"},
		{AT_MOST(RESIDUAL, 0), AT_MOST(KERNEL_DROPPED, 0), AT_MOST(NIC_DROPPED, 0),
		 AT_MOST(SKIPPED_WINDOWS, 0), AT_LEAST(CANARIES, 3), AT_MOST(CANARIES_UNSEEN, 0),
		 AT_LEAST(BLIND_CHECKS, 1), AT_MOST(BLINDINGS, 0)},
	},
	{
		"nothing_hidden",
		true,
		{"A second witness agrees with this machine",
		 "第二の証拠がこのマシンの記録と一致する"},
		{"Do Flow Logs of the same time show no flow that the machine did not, and agree "
		 "in all else?",
		 "同じ時間の Flow Logs "
		 "に、このマシンが見せなかったフローがなく、その他もすべて一致するか。"},
		{"Give the report Flow Logs of the same interface (--flow-logs); look at "
		 "`flowproof reconcile`.",
		 "同じインターフェースの Flow Logs を渡し（--flow-logs）、`flowproof reconcile` "
		 "を確認してください。"},
		{AT_LEAST(WITNESS_LINES, 1), AT_MOST(HIDDEN, 0), AT_MOST(DISAGREE, 0)},
	},
	{
		"witness_complete",
		true,
		{"The second witness is complete", "第二の証拠は完全である"},
		{"Do the Flow Logs cover the whole time, but for one of their windows at either "
		 "end, without skipped data and without unreadable lines?",
		 "Flow Logs "
		 "は（両端の一区間を除き）時間全体を覆い、欠落データも読めない行もないか。"},
		{"Wait until all Flow Logs are delivered (some minutes), and fetch every file.",
		 "Flow Logs がすべて配信されるまで数分待ち、全ファイルを取得してください。"},
		{AT_LEAST(WITNESS_LINES, 1), AT_MOST(WITNESS_UNCOVERED_S, 0),
		 AT_MOST(WITNESS_SKIPPED, 0), AT_MOST(WITNESS_BAD, 0)},
	},
	{
		"dns_covered",
		true,
		{"DNS was covered", "DNS を網羅した"},
		{"Was every DNS message read and told, none cut, damaged or left out?",
		 "すべての DNS メッセージを読み取り記録し、切れ・破損・省略がないか。"},
		{"Use a sensor that reads names (CONFIG_NAMES).",
		 "名前を読むセンサー（CONFIG_NAMES）を使用してください。"},
		{TOLD(DNS_MESSAGES), AT_MOST(DNS_UNREAD, 0)},
	},
	{
		"metadata_covered",
		true,
		{"Metadata and link-local addresses were covered",
		 "メタデータとリンクローカル宛先を網羅した"},
		{"Did the capture look at everything, no filter leaving out what Flow Logs leave "
		 "out too?",
		 "キャプチャはすべてを対象とし、Flow Logs "
		 "も記録しない通信をフィルターで除外していないか。"},
		{"Run the sensor without a filter (-f).",
		 "フィルター（-f）なしでセンサーを実行してください。"},
		{AT_MOST(FILTERED, 0), TOLD(LINK_LOCAL)},
	},
	{
		"policy_fixed",
		true,
		{"One policy held from start to end", "一つのポリシーが最初から最後まで有効だった"},
		{"Did one policy hold from the start to the end, that of --policy if it was given, "
		 "without a rule that expects almost any destination?",
		 "一つのポリシー（--policy "
		 "を渡した場合はそれ）が最初から最後まで有効で、ほぼすべての"
		 "宛先を許す規則がないか。"},
		{"Run again under one policy; name it to the report (--policy FILE).",
		 "一つのポリシーで再実行し、報告書にそのファイルを渡してください（--policy "
		 "FILE）。"},
		{AT_MOST(POLICY_CHANGES, 0), AT_MOST(POLICY_OTHER, 0), AT_MOST(POLICY_WIDE, 0),
		 TOLD(POLICY_RULES), TOLD(POLICY_UNUSED)},
	},
	{
		"allowed_volume",
		false,
		{"What went to allowed destinations", "許可された宛先への送信量"},
		{"Is it told how much went to each allowed destination? Its content was not "
		 "inspected.",
		 "許可された各宛先への送信量が示されているか（内容は検査していない）。"},
		{"Use a sensor that keeps endpoints.",
		 "宛先表を保持するセンサーを使用してください。"},
		{TOLD(ALLOWED), TOLD(ALLOWED_BYTES)},
	},
	{
		"attempts_counted",
		true,
		{"Attempts were counted", "試行も数えた"},
		{"Is every endpoint known that the machine tried to reach, also those that never "
		 "answered?",
		 "応答しなかったものも含め、マシンが到達を試みたすべての宛先が把握されているか。"},
		{"Run the sensor with a larger table of endpoints (--endpoint-slots).",
		 "センサーの宛先表を大きくして実行してください（--endpoint-slots）。"},
		{TOLD(ATTEMPTS), AT_MOST(ENDPOINTS_LEFT_OUT, 0)},
	},
	{
		"reach",
		false,
		{"What the machine could reach, and what answered", "マシンが到達できた相手と応答"},
		{"Is it told which remote endpoints answered, and which came in? A room in which "
		 "nothing answers shows attempts "
		 "only.",
		 "どの宛先が応答し、どこから接続があったかが示されているか（何も応答しない環境では"
		 "試行しか現れない）。"},
		{"Use a sensor that keeps endpoints.",
		 "宛先表を保持するセンサーを使用してください。"},
		{TOLD(ANSWERED), TOLD(CAME_IN)},
	},
	{
		"run_length",
		false,
		{"How long it ran", "実行時間の長さ"},
		{"Is the length of the run told? Software that sleeps longer than this shows "
		 "nothing.",
		 "実行時間が示されているか（これより長く潜伏するものは現れない）。"},
		{"Run longer.", "より長く実行してください。"},
		{TOLD(SPAN_S)},
	},
	{
		"identity",
		false,
		{"How the copy differs from the original", "元のマシンとの相違"},
		{"Is it told which facts of the original (address, role, type and so on) the copy "
		 "does "
		 "not share? Software may look at "
		 "them before it acts.",
		 "元のマシンの事実（アドレス、ロール、種別など）のうち複製が異なる点が示されている"
		 "か"
		 "（それを見て動作を変えるものがある）。"},
		{"Give the original's description: --original FILE (aws ec2 describe-instances).",
		 "元のマシンの記述を渡してください：--original FILE（aws ec2 "
		 "describe-instances）。"},
		{TOLD(IDENTITY_DIFFERS)},
	},
	{
		"hours",
		false,
		{"Local hours and days of the week", "現地の時間帯と曜日"},
		{"Is it told which hours of the local day and which days of the week were watched?",
		 "現地の一日のどの時間帯、どの曜日を監視したかが示されているか。"},
		{"Name the machine's time zone: --tz.",
		 "マシンのタイムゾーンを指定してください：--tz。"},
		{TOLD(HOURS), TOLD(WEEKDAYS)},
	},
	{
		"clock",
		true,
		{"The clocks agreed", "時計は一致していた"},
		{"Were the sensor's and the collector's clocks compared, never more than 2 seconds "
		 "apart, and did neither jump?",
		 "センサーとコレクターの時計を比較し、ずれが常に 2 "
		 "秒以内で、どちらの時刻にも飛びがなかったか。"},
		{"Set the machine's clock before the sensor starts; let the sensor reach the "
		 "collector while it runs.",
		 "センサー開始前に時計を合わせ、実行中にセンサーからコレクターへ到達できるようにし"
		 "てください。"},
		{AT_MOST(CLOCK_OFF_MS, 2000), AT_MOST(CLOCK_STEPS, 0)},
	},
	{
		"no_pressure",
		true,
		{"The sensor's tables had room", "センサーの表に余裕があった"},
		{"Did nothing have to be left out or given up because a table or the spool was "
		 "full?",
		 "表やスプールが満杯になって省略・放棄されたものがないか。"},
		{"Run the sensor with larger tables (--flow-slots, --endpoint-slots) and a larger "
		 "spool (--spool-kib).",
		 "センサーの表（--flow-slots、--endpoint-slots）とスプール（--spool-kib）を大きくし"
		 "て実行してください。"},
		{AT_MOST(FLOWS_EVICTED, 0), AT_MOST(FLOWS_MERGED, 0),
		 AT_MOST(ENDPOINTS_LEFT_OUT, 0), AT_MOST(SPOOL_GAVE_UP, 0), TOLD(GAVE_WAY)},
	},
	{
		"all_classified",
		true,
		{"Every packet was classified", "すべてのパケットを分類した"},
		{"Could every IP packet be read, and be judged as sent or received by this "
		 "machine?",
		 "すべての IP パケットを解読し、このマシンの送受信として判定できたか。"},
		{"Name the machine's addresses (--local); look at what the records say of the "
		 "rest.",
		 "マシンのアドレスを指定し（--local）、残りの記録を確認してください。"},
		{AT_MOST(MALFORMED, 0), AT_MOST(UNJUDGED, 0), TOLD(NOT_IP)},
	},
	{
		"detection_limits",
		false,
		{"What the detectors cannot see", "検出器の限界"},
		{"Are the detectors named, with what each cannot see, and had each room?",
		 "各検出器の名称と見えないものが示され、容量が足りていたか。"},
		{"See the chapter on limits.", "限界についての章をご覧ください。"},
		{AT_MOST(FINDINGS_LEFT_OUT, 0), AT_MOST(CALLS_LEFT_OUT, 0), TOLD(SUSPICIONS)},
	},
	{
		"records_delivered",
		true,
		{"Every record was delivered", "すべての記録が届いた"},
		{"Does each run end with a goodbye, with every record there that the sensor "
		 "counted?",
		 "各実行が終了通知で終わり、センサーが数えた記録がすべてあるか。"},
		{"Stop the sensor with SIGTERM while the collector runs; judge what is over "
		 "(--span).",
		 "コレクターの動作中に SIGTERM "
		 "でセンサーを止めるか、終わった時間帯だけを判定してください（--span）。"},
		{AT_LEAST(RUNS, 1), AT_MOST(OPEN_RUNS, 0), AT_MOST(GAP_BATCHES, 0),
		 AT_MOST(RECORDS_MISSING, 0)},
	},
	{
		"ledger_audited",
		true,
		{"The ledger was audited", "台帳を監査した"},
		{"Is everything in the ledger as it was signed, from its first entry to its last?",
		 "台帳のすべてが、最初から最後まで署名どおりであるか。"},
		{"Give the CA's certificate (--ca FILE); look at `flowproof audit`.",
		 "CA の証明書を渡し（--ca FILE）、`flowproof audit` を確認してください。"},
		{AT_MOST(AUDIT_BROKEN, 0), AT_MOST(AUDIT_INCOMPLETE, 0), AT_MOST(DAMAGE, 0)},
	},
	{
		"sensor_unchanged",
		true,
		{"The sensor told no change of itself", "センサー自身の申告に変更はない"},
		{"Were program and configuration, as the sensor tells them, the same in all of its "
		 "runs?",
		 "センサーが申告するプログラムと設定は、すべての実行で同じだったか。"},
		{"Run again with one program and one configuration.",
		 "同じプログラムと同じ設定で再実行してください。"},
		{AT_MOST(BUILD_CHANGES, 0), AT_MOST(CONFIG_CHANGES, 0), TOLD(REPLAYS)},
	},
	{
		"isolation_held",
		true,
		{"Nothing was open from before, no allowance exceeded",
		 "開始前からの接続も許容量の超過もない"},
		{"Was no connection open from before the watch began, and no allowance of the "
		 "instance type exceeded?",
		 "監視開始前からの接続がなく、インスタンスタイプの許容量を超えなかったか。"},
		{"Swap the security group twice, or restart the machine in the closed network, "
		 "with the sensor started first.",
		 "セキュリティグループを二段階で付け替えるか、センサーを先に起動した状態で閉域内で"
		 "マシンを再起動してください。"},
		{AT_MOST(OLD_FLOWS, 0), AT_MOST(ALLOWANCE, 0), TOLD(UNSEEN)},
	},
};
