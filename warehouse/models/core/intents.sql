-- core.intents: what the engines wanted, why, on which features, and what became of it at the gates.
-- grain: intent
-- key: run_id, intent_no
-- kind: view
-- Prices in the instrument's currency; sizes in units; features as the engine saw them. The decision's columns are
-- null until its segment is ingested.
SELECT
    n.run_id,
    n.intent_no,
    n.event_no,
    n.day,
    make_timestamp_ns(n.ts_event) AS ts,
    n.ts_event AS ts_ns,
    i.symbol,
    g.name AS engine,
    CASE n.side WHEN 1 THEN 'buy' WHEN -1 THEN 'sell' END AS direction,
    t.name AS order_type,
    w.name AS reason,
    n.size * i.lot_numerator / i.lot_denominator AS size_wanted,
    d.size_approved * i.lot_numerator / i.lot_denominator AS size_approved,
    d.approved = 1 AS approved,
    o.name AS decision,
    n.bid_price * i.tick_numerator / i.tick_denominator AS bid,
    n.ask_price * i.tick_numerator / i.tick_denominator AS ask,
    nullif(n.limit_price, 0) * i.tick_numerator / i.tick_denominator AS limit_price,
    n.stop_distance * i.tick_numerator / i.tick_denominator AS stop_distance,
    n.target_distance * i.tick_numerator / i.tick_denominator AS target_distance,
    n.max_hold_ns,
    n.time_to_live_ns,
    n.confidence,
    n.model_score,
    n.model_threshold,
    n.predicted_move * i.tick_numerator / i.tick_denominator AS predicted_move,
    x.name AS regime,
    n.release_no,
    r.release_id,
    n.mid,
    n.spread,
    n.microprice,
    n.queue_imbalance,
    n.depth_imbalance_5,
    n.ofi_event,
    n.ofi_10s,
    n.trade_imbalance_10s,
    n.vwap_deviation,
    n.realised_vol_60s,
    n.spread_z,
    n.ofi_norm_10s,
    n.mid_return_10s,
    n.microprice_edge,
    n.mlofi_event_2,
    n.mlofi_event_3,
    n.mlofi_event_4,
    n.mlofi_event_5,
    n.mlofi_10s_2,
    n.mlofi_10s_3,
    n.mlofi_10s_4,
    n.mlofi_10s_5,
    n.depth_imbalance_10,
    n.cumulative_delta,
    n.trade_imbalance_60s,
    n.vwap_deviation_spreads,
    n.realised_vol_10s,
    n.realised_vol_600s,
    n.bipower_variation_60s,
    n.kyle_lambda_300s,
    n.book_slope_bid_5,
    n.book_slope_ask_5,
    n.resilience_1s,
    n.cancel_to_trade_60s,
    n.arrival_intensity_10s,
    n.effective_spread,
    n.realised_spread_5s,
    n.vpin,
    n.trade_imbalance_volume,
    n.ofi_norm_volume,
    n.realised_vol_volume,
    n.price_return_volume_10,
    n.fitted_microprice_edge
FROM staging.intents AS n
JOIN staging.instruments AS i ON i.run_id = n.run_id AND i.instrument_id = n.instrument_id
LEFT JOIN staging.decisions AS d ON d.run_id = n.run_id AND d.intent_no = n.intent_no
LEFT JOIN staging.releases AS r ON r.run_id = n.run_id AND r.release_no = n.release_no
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = n.engine
LEFT JOIN staging.enumerations AS t ON t.enumeration = 'OrderType' AND t.code = n.order_type
LEFT JOIN staging.enumerations AS w ON w.enumeration = 'IntentReason' AND w.code = n.reason
LEFT JOIN staging.enumerations AS x ON x.enumeration = 'Regime' AND x.code = n.regime
LEFT JOIN staging.enumerations AS o ON o.enumeration = 'DecisionReason' AND o.code = d.reason
